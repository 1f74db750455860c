//! Locks, alone and contended: one is taken, a number in it read or increased, and the lock given back.

use criterion::{BenchmarkId, Criterion};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) fn costs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lock");
    for threads in [1, 2] {
        group.bench_function(BenchmarkId::new("mutex", threads), |b| {
            b.iter_custom(|times| {
                let number = Mutex::new(0);
                let time = together(times, threads, || *number.lock().unwrap() += 1);
                assert_eq!(number.into_inner().unwrap(), times);
                time
            });
        });
        group.bench_function(BenchmarkId::new("rwlock-read", threads), |b| {
            let number = RwLock::new(7);
            let read = || assert_eq!(*black_box(number.read().unwrap()), 7);
            b.iter_custom(|times| together(times, threads, read));
        });
    }
}

/// Has several threads do something so many times in all.
///
/// Each takes the next few when it has done its own, and not a fixed share: one that was luckier than
/// the others would leave them alone at the end, without the contention that is measured.
fn together(times: u64, threads: usize, work: impl Fn() + Sync) -> Duration {
    let few = (times / (64 * threads as u64)).clamp(1, 1024);
    let ready = Barrier::new(threads + 1);
    // Says only who does what; it guards no data.
    let next = AtomicU64::new(0);
    let life = || {
        ready.wait();
        loop {
            let first = next.fetch_add(few, Ordering::Relaxed);
            if first >= times {
                break;
            }
            (first..times.min(first + few)).for_each(|_| work());
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(life)).collect();
        let start = Instant::now();
        ready.wait();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        start.elapsed()
    })
}
