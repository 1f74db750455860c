//! What a job costs in each of the three pools.

use crate::measure::{Costs, Group, Run, timed};
use rayon_pool::thread_pool::{
    NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool,
};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

pub(crate) fn costs(costs: &mut Costs) {
    // One of many empty jobs that one thread gives to a pool of so many threads.
    let mut group = costs.group("job");
    pool(&mut group, "naive", 1, flat::<NaiveThreadPool>);
    for threads in [1, 2, 4] {
        pool(&mut group, "shared-queue", threads, flat::<SharedQueueThreadPool>);
        pool(&mut group, "rayon", threads, flat::<RayonThreadPool>);
    }
    drop(group);
    // One of many empty jobs that jobs give to their own pool, up to a hundred each.
    let mut group = costs.group("job-nested");
    for threads in [1, 2, 4] {
        pool(&mut group, "shared-queue", threads, tree::<SharedQueueThreadPool>);
        pool(&mut group, "rayon", threads, tree::<RayonThreadPool>);
    }
    drop(group);
    // From `spawn` to the job's first line, in a pool that has nothing to do.
    let mut group = costs.group("job-latency").briefly();
    pool(&mut group, "naive", 1, latency::<NaiveThreadPool>);
    pool(&mut group, "shared-queue", 2, latency::<SharedQueueThreadPool>);
    pool(&mut group, "rayon", 2, latency::<RayonThreadPool>);
}

fn pool<P: ThreadPool>(group: &mut Group<'_>, name: &str, threads: usize, run: fn(P, u64) -> Run) {
    group.bench(name, threads, |jobs| run(P::new(threads as u32).unwrap(), jobs));
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
fn timed_jobs(jobs: u64, spawn: impl FnOnce()) -> Run {
    *WAITER.lock().unwrap() = Some(thread::current());
    LEFT.store(jobs, Ordering::Release);
    timed(|| {
        spawn();
        while LEFT.load(Ordering::Acquire) > 0 {
            thread::park();
        }
    })
}

fn flat<P: ThreadPool>(pool: P, jobs: u64) -> Run {
    timed_jobs(jobs, || (0..jobs).for_each(|number| pool.spawn(move || job(number))))
}

fn tree<P: ThreadPool + Send + Sync + 'static>(pool: P, jobs: u64) -> Run {
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

fn latency<P: ThreadPool>(pool: P, jobs: u64) -> Run {
    let (running, started) = mpsc::channel();
    let mut waited = Duration::ZERO;
    for _ in 0..jobs {
        // Long enough for a worker to have gone to sleep.
        thread::sleep(Duration::from_millis(1));
        let running = running.clone();
        let spawned = Instant::now();
        pool.spawn(move || running.send(Instant::now()).unwrap());
        waited += started.recv().unwrap() - spawned;
    }
    Run { time: waited, counts: Vec::new() }
}
