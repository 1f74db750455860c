//! Jobs that panic, in each pool.

use super::promise::{Count, Outcome, Run, count, quietly};
use crossbeam::channel::{self, Sender};
use kvs_final::thread_pool::{NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool};
use kvs_test_kit::process::threads_called;
use kvs_test_kit::until;
use std::panic::panic_any;
use std::sync::{Arc, mpsc};
use std::{process, thread};

const THREADS: usize = 4;
/// So many jobs may wait: the naive pool has a thread for each.
const AHEAD: u64 = 500;

/// A payload that panics when it is dropped, and owns something as well.
struct Bomb {
    _owned: Arc<()>,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("the payload's own drop");
        }
    }
}

/// Jobs that panic, and then one that does not; then the pool is dropped. It has `standing` threads
/// before and after, and none in the end.
fn panic_in<P: ThreadPool>(prefix: &str, standing: usize, jobs: u64) {
    let pool = P::new(THREADS as u32).unwrap();
    let own = || threads_called(process::id(), prefix).0;
    let none_is_lost = || {
        let own = own();
        assert!(own >= standing, "{own} of {standing} threads are left");
    };
    until("its threads are there", || own() == standing);
    // Each job has a share of it, until it has ended and what it panicked with is dropped.
    let jobs_left = Arc::new(());
    for number in 0..jobs {
        let left = Arc::clone(&jobs_left);
        pool.spawn(move || match number % 10 {
            9 => panic_any(Bomb { _owned: left }),
            8 => panic_any(left),
            7 => panic!("text with {left:?}"),
            _ => panic!("text"),
        });
        if number % AHEAD == AHEAD - 1 {
            until("the jobs end", || {
                none_is_lost();
                Arc::strong_count(&jobs_left) == 1
            });
        }
    }
    until("the threads of the last jobs are gone", || own() <= standing);
    none_is_lost();
    let (done, is_done) = mpsc::channel();
    pool.spawn(move || done.send(()).unwrap());
    is_done.recv().unwrap();
    drop(pool);
    until("no thread is left", || own() == 0);
}

fn cost_their_job<P: ThreadPool>(
    (name, prefix): (&str, &str),
    standing: usize,
    run: Run,
) -> Result<Count, String> {
    let jobs = run.pick(100_000, 3_000_000);
    quietly(|| {
        panic_in::<P>(prefix, standing, jobs);
        Ok(count(jobs, format!("panicking jobs in {name}"), jobs))
    })
}

pub(crate) fn cost_their_job_alone(run: Run) -> Outcome {
    if run.injects("a pool whose threads die") {
        cost_their_job::<Mortal>(("a mortal pool", "kvs-mortal"), THREADS, run)?;
    }
    let (naive, queue) = (("the naive pool", "kvs-naive"), ("the shared queue", "kvs-queue"));
    Ok(vec![
        cost_their_job::<NaiveThreadPool>(naive, 0, run)?,
        cost_their_job::<SharedQueueThreadPool>(queue, THREADS, run)?,
        cost_their_job::<RayonThreadPool>(("rayon", "kvs-rayon"), THREADS, run)?,
    ])
}

type Job = Box<dyn FnOnce() + Send>;

/// A pool whose threads die with their jobs.
struct Mortal(Sender<Job>);

impl ThreadPool for Mortal {
    fn new(threads: u32) -> kvs_final::Result<Self> {
        let (sender, jobs) = channel::unbounded::<Job>();
        for _ in 0..threads {
            let jobs = jobs.clone();
            let work = move || jobs.iter().for_each(|job| job());
            thread::Builder::new().name("kvs-mortal".into()).spawn(work)?;
        }
        Ok(Mortal(sender))
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        let _ = self.0.send(Box::new(job));
    }
}
