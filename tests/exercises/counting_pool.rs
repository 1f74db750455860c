//! Chapter 5. Write a `ThreadPool` that wraps any other one and says at any time how many of its jobs
//! wait, run, have finished and have panicked.
//!
//! The idea: a ticket goes with each job. It moves from count to count as the job does, and its drop
//! makes the last move: so a job is counted also if it panics, and if the pool drops it without
//! running it. One lock for all counts, because they are one statement: every job that was given to
//! the pool is in exactly one of them, also when somebody looks in the middle of a move. With an
//! atomic for each a look could find a job twice or not at all.

use rayon_pool::Result;
use rayon_pool::thread_pool::ThreadPool;
use std::sync::{Arc, Mutex};
use std::thread;

/// How many jobs are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) queued: u64,
    pub(crate) running: u64,
    pub(crate) finished: u64,
    pub(crate) panicked: u64,
    /// Never run: the pool had no thread for them.
    pub(crate) dropped: u64,
}

/// A pool that counts the jobs of another one.
pub(crate) struct CountingPool<P> {
    pool: P,
    /// Held for a move or a copy. Nobody panics with it, so it is never poisoned.
    counts: Arc<Mutex<Counts>>,
}

impl<P> CountingPool<P> {
    pub(crate) fn counts(&self) -> Counts {
        *self.counts.lock().unwrap()
    }
}

/// Where a job is, until it is dropped.
struct Ticket {
    counts: Arc<Mutex<Counts>>,
    runs: bool,
}

impl Ticket {
    fn new(counts: &Arc<Mutex<Counts>>) -> Ticket {
        counts.lock().unwrap().queued += 1;
        Ticket { counts: Arc::clone(counts), runs: false }
    }

    fn run(&mut self) {
        let mut counts = self.counts.lock().unwrap();
        counts.queued -= 1;
        counts.running += 1;
        self.runs = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap();
        if self.runs {
            counts.running -= 1;
            // The pool below catches the panic later; here the thread still unwinds.
            if thread::panicking() { counts.panicked += 1 } else { counts.finished += 1 }
        } else {
            counts.queued -= 1;
            counts.dropped += 1;
        }
    }
}

impl<P: ThreadPool> ThreadPool for CountingPool<P> {
    fn new(threads: u32) -> Result<Self> {
        Ok(CountingPool { pool: P::new(threads)?, counts: Arc::default() })
    }

    fn spawn<F>(&self, job: F)
    where
        F: FnOnce() + Send + 'static,
    {
        let mut ticket = Ticket::new(&self.counts);
        self.pool.spawn(move || {
            ticket.run();
            job();
        });
    }
}

mod tests {
    use super::*;
    use kvs_test_kit::until;
    use rayon_pool::thread_pool::{NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool};
    use std::sync::Barrier;

    /// Waits for counts that only the end of jobs brings about.
    fn wait_for<P>(pool: &CountingPool<P>, expected: Counts) {
        until(&format!("the counts are {expected:?}"), || pool.counts() == expected);
    }

    fn counts_what_happens<P: ThreadPool>() {
        let pool = CountingPool::<P>::new(2).unwrap();
        assert_eq!(pool.counts(), Counts::default());
        let gate = Arc::new(Barrier::new(3));
        for _ in 0..2 {
            let gate = Arc::clone(&gate);
            pool.spawn(move || {
                gate.wait();
            });
        }
        wait_for(&pool, Counts { running: 2, ..Counts::default() });
        gate.wait();
        pool.spawn(|| panic!("a job"));
        wait_for(&pool, Counts { finished: 2, panicked: 1, ..Counts::default() });
    }

    #[test]
    fn it_counts_on_every_pool() {
        counts_what_happens::<NaiveThreadPool>();
        counts_what_happens::<SharedQueueThreadPool>();
        counts_what_happens::<RayonThreadPool>();
    }

    #[test]
    fn jobs_that_wait_are_queued() {
        let pool = CountingPool::<SharedQueueThreadPool>::new(1).unwrap();
        let gate = Arc::new(Barrier::new(2));
        let at_gate = Arc::clone(&gate);
        pool.spawn(move || {
            at_gate.wait();
        });
        for _ in 0..5 {
            pool.spawn(|| {});
        }
        wait_for(&pool, Counts { queued: 5, running: 1, ..Counts::default() });
        gate.wait();
        wait_for(&pool, Counts { finished: 6, ..Counts::default() });
    }

    #[test]
    fn at_any_time_every_job_is_in_one_count() {
        let pool = CountingPool::<RayonThreadPool>::new(2).unwrap();
        for spawned in 1..=1000 {
            pool.spawn(move || assert!(spawned % 10 != 0, "every tenth"));
            let Counts { queued, running, finished, panicked, dropped } = pool.counts();
            assert_eq!(queued + running + finished + panicked + dropped, spawned);
        }
        wait_for(&pool, Counts { finished: 900, panicked: 100, ..Counts::default() });
    }

    /// A pool that drops its jobs, as the naive one does without threads.
    struct Refusing;

    impl ThreadPool for Refusing {
        fn new(_threads: u32) -> Result<Self> {
            Ok(Refusing)
        }

        fn spawn<F>(&self, job: F)
        where
            F: FnOnce() + Send + 'static,
        {
            drop(job);
        }
    }

    #[test]
    fn a_job_that_never_runs_is_counted_as_well() {
        let pool = CountingPool::<Refusing>::new(1).unwrap();
        pool.spawn(|| {});
        assert_eq!(pool.counts(), Counts { dropped: 1, ..Counts::default() });
    }
}
