//! What a job costs in each of the three pools, and what to send a number to one of several workers, by two kinds of
//! channel.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion};
use crossbeam::channel;
use rayon_pool::thread_pool::{
    NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool,
};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

pub(crate) fn costs(criterion: &mut Criterion) {
    // One of many empty jobs that one thread gives to a pool of so many threads.
    let mut group = criterion.benchmark_group("job");
    pool(&mut group, "naive", 1, flat::<NaiveThreadPool>);
    for threads in [1, 2, 4] {
        pool(&mut group, "shared-queue", threads, flat::<SharedQueueThreadPool>);
        pool(&mut group, "rayon", threads, flat::<RayonThreadPool>);
    }
    drop(group);
    // One of many empty jobs that jobs give to their own pool, up to a hundred each.
    let mut group = criterion.benchmark_group("job-nested");
    for threads in [1, 2, 4] {
        pool(&mut group, "shared-queue", threads, tree::<SharedQueueThreadPool>);
        pool(&mut group, "rayon", threads, tree::<RayonThreadPool>);
    }
    drop(group);
    let mut group = criterion.benchmark_group("channel");
    group.bench_function(BenchmarkId::new("mutex-mpsc", WORKERS), |b| {
        b.iter_custom(|numbers| {
            let (sender, receiver) = mpsc::channel();
            let receiver = Mutex::new(receiver);
            // The lock is held while its holder waits for a number: the others wait for the lock.
            let receive = || receiver.lock().unwrap().recv().ok();
            through(numbers, move |number| sender.send(number).unwrap(), receive)
        });
    });
    group.bench_function(BenchmarkId::new("crossbeam", WORKERS), |b| {
        b.iter_custom(|numbers| {
            let (sender, receiver) = channel::unbounded();
            through(numbers, move |number| sender.send(number).unwrap(), || receiver.recv().ok())
        });
    });
}

fn pool<P: ThreadPool>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    threads: usize,
    run: fn(P, u64) -> Duration,
) {
    group.bench_function(BenchmarkId::new(name, threads), |b| {
        b.iter_custom(|jobs| run(P::new(threads as u32).unwrap(), jobs));
    });
}

/// How many jobs of the measurement are left, and who waits for the last. There is one measurement
/// at a time. Statics, because a handle that each job would have is a counter that its threads
/// share, and costs as much as the job.
///
/// `AcqRel` and `Acquire`: who is woken after the last job has seen what all jobs did.
static LEFT: AtomicU64 = AtomicU64::new(0);
static WAITER: Mutex<Option<Thread>> = Mutex::new(None);

/// A job that carries a number, so that it needs a place on the heap, as any real job does.
fn job(number: u64) {
    black_box(number);
    if LEFT.fetch_sub(1, Ordering::AcqRel) == 1
        && let Some(waiter) = &*WAITER.lock().unwrap()
    {
        waiter.unpark();
    }
}

/// Lets something spawn so many jobs, and waits until they have run.
fn timed_jobs(jobs: u64, spawn: impl FnOnce()) -> Duration {
    *WAITER.lock().unwrap() = Some(thread::current());
    LEFT.store(jobs, Ordering::Release);
    let start = Instant::now();
    spawn();
    while LEFT.load(Ordering::Acquire) > 0 {
        thread::park();
    }
    start.elapsed()
}

fn flat<P: ThreadPool>(pool: P, jobs: u64) -> Duration {
    timed_jobs(jobs, || (0..jobs).for_each(|number| pool.spawn(move || job(number))))
}

fn tree<P: ThreadPool + Send + Sync + 'static>(pool: P, jobs: u64) -> Duration {
    let pool = Arc::new(pool);
    let handle = Arc::clone(&pool);
    timed_jobs(jobs, || pool.spawn(move || branch(handle, jobs)))
}

/// How many jobs a branch has at most that has no branches.
const LEAVES: u64 = 100;

/// A job that stands for so many: itself, and the rest as two branches or as leaves.
fn branch<P: ThreadPool + Send + Sync + 'static>(pool: Arc<P>, jobs: u64) {
    let rest = jobs - 1;
    if rest > LEAVES {
        for part in [rest / 2, rest - rest / 2] {
            let handle = Arc::clone(&pool);
            pool.spawn(move || branch(handle, part));
        }
    } else {
        (0..rest).for_each(|number| pool.spawn(move || job(number)));
    }
    // Before it counts: the last handle is the one outside, which waits for the threads.
    drop(pool);
    job(jobs);
}

/// How many receive from a channel.
const WORKERS: usize = 4;

/// Sends the numbers and ends the channel, and waits until the workers have seen its end.
fn through(
    numbers: u64,
    send: impl FnMut(u64),
    receive: impl Fn() -> Option<u64> + Sync,
) -> Duration {
    let worker = || std::iter::from_fn(&receive).sum::<u64>();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(worker)).collect();
        let start = Instant::now();
        (0..numbers).for_each(send);
        let sum: u64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
        assert_eq!(sum, numbers * (numbers - 1) / 2);
        start.elapsed()
    })
}
