//! What every thread pool must do.

use crate::WATCHDOG;
use std::cell::OnceCell;
use std::panic::panic_any;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Barrier};

/// How many threads the pools here have.
pub const THREADS: u32 = 4;

type Job = Box<dyn FnOnce() + Send>;

/// A pool of any stage, or of a reader: all that matters is how it is given a job. It is dropped with this.
pub struct Pool(Box<dyn Fn(Job) + Send + Sync>);

impl Pool {
    /// A pool that is given jobs so.
    pub fn new(spawn: impl Fn(Job) + Send + Sync + 'static) -> Pool {
        Pool(Box::new(spawn))
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        (self.0)(Box::new(job));
    }

    /// Fails unless [`THREADS`] jobs can be under way at the same time. Returns a receiver that is
    /// disconnected when the threads that ran them have ended.
    pub fn has_all_threads(&self) -> Receiver<()> {
        thread_local!(static ALIVE: OnceCell<Sender<()>> = const { OnceCell::new() });
        let (alive, ends) = channel();
        let (done, jobs) = channel();
        let all = Arc::new(Barrier::new(THREADS as usize));
        for _ in 0..THREADS {
            let (all, alive, done) = (Arc::clone(&all), alive.clone(), done.clone());
            self.spawn(move || {
                ALIVE.with(|cell| drop(cell.set(alive)));
                all.wait();
                done.send(()).unwrap();
            });
        }
        drop(done);
        for _ in 0..THREADS {
            jobs.recv_timeout(WATCHDOG).expect("too few threads for the jobs to meet");
        }
        ends
    }
}

fn have_ended(threads: &Receiver<()>) {
    let ended = threads.recv_timeout(WATCHDOG);
    assert_eq!(ended, Err(RecvTimeoutError::Disconnected), "a thread outlived its pool");
}

/// 1000 jobs, each counted once.
pub fn every_job_runs_once(pool: Pool) {
    let (done, jobs) = channel();
    for number in 0..1000 {
        let done = done.clone();
        pool.spawn(move || done.send(number).unwrap());
    }
    let mut seen: Vec<i32> = (0..1000).map(|_| jobs.recv_timeout(WATCHDOG).unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..1000).collect::<Vec<_>>());
}

/// A payload that panics again when it is dropped, and owns something as well.
struct Bomb {
    _owned: Sender<()>,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload's own drop");
    }
}

/// So many of them. And they keep nothing: the sender goes with its job, whether the job owns it or what it panics with. A thread
/// that does not catch a panic ends the process by a payload's that panics when it is dropped.
pub fn panicking_jobs_cost_no_thread(pool: Pool, jobs: u64, catches: bool) {
    /// The naive pool has a thread for each.
    const AT_ONCE: u64 = 500;
    for first in (0..jobs).step_by(AT_ONCE as usize) {
        let (done, ended) = channel();
        for number in first..jobs.min(first + AT_ONCE) {
            let done: Sender<()> = done.clone();
            pool.spawn(move || match number % 4 {
                0 => panic!("text"),
                1 => panic!("text with {number} and {done:?}"),
                2 if catches => panic_any(Bomb { _owned: done }),
                _ => panic_any(done),
            });
        }
        drop(done);
        assert_eq!(ended.recv_timeout(WATCHDOG), Err(RecvTimeoutError::Disconnected));
    }
    threads_are_gone_after_drop(pool);
}

/// Their ends come with the drop, or soon after it.
pub fn threads_are_gone_after_drop(pool: Pool) {
    let threads = pool.has_all_threads();
    drop(pool);
    have_ended(&threads);
}

/// Of a pool with a queue.
pub fn jobs_that_wait_are_run_before_drop_returns(pool: Pool) {
    let (done, jobs) = channel();
    for _ in 0..1000 {
        let done = done.clone();
        pool.spawn(move || done.send(()).unwrap());
    }
    drop(pool);
    assert_eq!(jobs.try_iter().count(), 1000);
}

/// Where the thread that drops it is one of its own.
pub fn dropping_the_pool_inside_its_own_job_ends_its_threads(pool: Pool) {
    let threads = pool.has_all_threads();
    let (pass, passed) = channel::<Pool>();
    let (dropped, drops) = channel();
    pool.spawn(move || {
        drop(passed.recv().unwrap());
        dropped.send(()).unwrap();
    });
    pass.send(pool).unwrap();
    drops.recv_timeout(WATCHDOG).expect("the drop waits for its own job");
    have_ended(&threads);
}
