//! What a job costs in each of the three pools.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion};
use rayon_pool::thread_pool::{
    NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool,
};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
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
