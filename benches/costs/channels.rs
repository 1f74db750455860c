//! What it costs to send a number to one of several workers, by two kinds of channel.

use crate::measure::{Costs, Run, timed};
use crossbeam::channel;
use std::sync::{Mutex, mpsc};
use std::thread;

pub(crate) fn costs(costs: &mut Costs) {
    let mut group = costs.group("channel");
    for workers in [1, 2, 4, 8] {
        group.bench("mutex-mpsc", workers, |numbers| {
            let (sender, receiver) = mpsc::channel();
            let receiver = Mutex::new(receiver);
            let send = move |number| sender.send(number).unwrap();
            // The lock is held while its holder waits for a number: the others wait for the lock.
            let receive = || receiver.lock().unwrap().recv().ok();
            through(workers, numbers, send, receive)
        });
        group.bench("crossbeam", workers, |numbers| {
            let (sender, receiver) = channel::unbounded();
            let send = move |number| sender.send(number).unwrap();
            through(workers, numbers, send, || receiver.recv().ok())
        });
    }
}

/// Sends the numbers and ends the channel, and waits until the workers have seen its end.
fn through(
    workers: usize,
    numbers: u64,
    send: impl FnMut(u64),
    receive: impl Fn() -> Option<u64> + Sync,
) -> Run {
    let worker = || {
        let mut sum = 0;
        while let Some(number) = receive() {
            sum += number;
        }
        sum
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        timed(|| {
            (0..numbers).for_each(send);
            let sum: u64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
            assert_eq!(sum, numbers * (numbers - 1) / 2);
        })
    })
}
