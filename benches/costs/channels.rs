//! What it costs to send a number to one of several workers, by two kinds of channel.

use criterion::{BenchmarkId, Criterion};
use crossbeam::channel;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) fn costs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("channel");
    for workers in [1, 2, 4, 8] {
        group.bench_function(BenchmarkId::new("mutex-mpsc", workers), |b| {
            b.iter_custom(|numbers| {
                let (sender, receiver) = mpsc::channel();
                let receiver = Mutex::new(receiver);
                let send = move |number| sender.send(number).unwrap();
                // The lock is held while its holder waits for a number: the others wait for the lock.
                let receive = || receiver.lock().unwrap().recv().ok();
                through(workers, numbers, send, receive)
            });
        });
        group.bench_function(BenchmarkId::new("crossbeam", workers), |b| {
            b.iter_custom(|numbers| {
                let (sender, receiver) = channel::unbounded();
                let send = move |number| sender.send(number).unwrap();
                through(workers, numbers, send, || receiver.recv().ok())
            });
        });
    }
}

/// Sends the numbers and ends the channel, and waits until the workers have seen its end.
fn through(
    workers: usize,
    numbers: u64,
    send: impl FnMut(u64),
    receive: impl Fn() -> Option<u64> + Sync,
) -> Duration {
    let worker = || std::iter::from_fn(&receive).sum::<u64>();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        let start = Instant::now();
        (0..numbers).for_each(send);
        let sum: u64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
        assert_eq!(sum, numbers * (numbers - 1) / 2);
        start.elapsed()
    })
}
