//! Chapter 4. Write `SharedQueueThreadPool` without a channel: the queue is a `VecDeque` behind a
//! `Mutex`, and workers without a job wait on a `Condvar`. It has to keep every promise of the pool
//! with the channel: a panic costs no thread, the drop runs what is queued and joins, and a job may
//! drop the pool.
//!
//! The idea: the condition that workers wait for is "there is a job, or the queue is closed", and
//! both change only under the lock. So no wake-up can be lost: a worker that has seen neither is waiting
//! before the lock is free for a change. The lock is let go before the job runs.

use shared_queue::thread_pool::ThreadPool;
use shared_queue::{KvsError, Result};
use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads that take their jobs from one queue.
pub(crate) struct CondvarQueuePool {
    queue: Arc<Queue>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    /// Told of each new job, and of the end.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    /// Held for a push, a pop or a look, never while a job runs or is dropped. So nobody panics with
    /// it, and it is never poisoned.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn push(&self, job: Job) {
        self.lock().jobs.push_back(job);
        // One job, one worker.
        self.changed.notify_one();
    }

    /// The next job; none when the queue is closed and empty.
    fn pop(&self) -> Option<Job> {
        let nothing = |state: &mut State| state.jobs.is_empty() && !state.closed;
        self.changed.wait_while(self.lock(), nothing).unwrap().jobs.pop_front()
    }

    fn close(&self) {
        self.lock().closed = true;
        // It concerns all of them.
        self.changed.notify_all();
    }
}

/// A worker's life. A panic is the end of its job, and a panic of its payload's own drop is caught too.
fn work(queue: &Queue) {
    while let Some(job) = queue.pop() {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(job))
            && let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
        {
            mem::forget(second);
        }
    }
}

impl ThreadPool for CondvarQueuePool {
    fn new(threads: u32) -> Result<Self> {
        if threads == 0 {
            return Err(KvsError::Pool("a pool needs at least one thread".into()));
        }
        let mut pool = CondvarQueuePool { queue: Arc::default(), workers: Vec::new() };
        for number in 0..threads {
            let queue = Arc::clone(&pool.queue);
            // If this fails, the drop of `pool` ends and joins the workers that were started.
            let worker = thread::Builder::new().spawn(move || work(&queue)).map_err(|error| {
                KvsError::Pool(format!("cannot start thread {number} of {threads}: {error}"))
            })?;
            pool.workers.push(worker);
        }
        Ok(pool)
    }

    fn spawn<F>(&self, job: F)
    where
        F: FnOnce() + Send + 'static,
    {
        self.queue.push(Box::new(job));
    }
}

impl Drop for CondvarQueuePool {
    fn drop(&mut self) {
        self.queue.close();
        let caller = thread::current().id();
        if self.workers.iter().all(|worker| worker.thread().id() != caller) {
            for worker in self.workers.drain(..) {
                let _ = worker.join();
            }
        }
    }
}

mod tests {
    use super::*;
    use crate::comes_to_an_end;
    use kvs_test_kit::WATCHDOG;
    use std::cell::OnceCell;
    use std::panic::panic_any;
    use std::sync::Barrier;
    use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

    const THREADS: u32 = 4;

    fn pool() -> CondvarQueuePool {
        CondvarQueuePool::new(THREADS).unwrap()
    }

    /// As many jobs as there are threads meet. Returns a receiver that is disconnected when those
    /// threads have ended.
    fn assert_has_all_threads(pool: &CondvarQueuePool) -> Receiver<()> {
        thread_local!(static ALIVE: OnceCell<Sender<()>> = const { OnceCell::new() });
        let (alive, ends) = channel();
        let (done, jobs) = channel();
        let all = Arc::new(Barrier::new(THREADS as usize));
        for _ in 0..THREADS {
            let (all, alive, done) = (Arc::clone(&all), alive.clone(), done.clone());
            pool.spawn(move || {
                ALIVE.with(|cell| assert!(cell.set(alive).is_ok()));
                all.wait();
                done.send(()).unwrap();
            });
        }
        for _ in 0..THREADS {
            jobs.recv_timeout(WATCHDOG).expect("too few threads for the jobs to meet");
        }
        ends
    }

    #[test]
    fn every_job_runs_once() {
        comes_to_an_end(|| {
            let pool = pool();
            let (done, jobs) = channel();
            for number in 0..1000 {
                let done = done.clone();
                pool.spawn(move || done.send(number).unwrap());
            }
            drop(done);
            let mut seen: Vec<u32> = jobs.iter().collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..1000).collect::<Vec<_>>());
        });
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

    #[test]
    fn a_panic_costs_no_thread_and_keeps_nothing() {
        let pool = pool();
        let (done, jobs) = channel();
        for number in 0..50 {
            let done = done.clone();
            pool.spawn(move || match number % 3 {
                0 => panic!("text with {number} and {done:?}"),
                1 => panic_any(done),
                _ => panic_any(Bomb { _owned: done }),
            });
        }
        drop(done);
        assert_eq!(jobs.recv_timeout(WATCHDOG), Err(RecvTimeoutError::Disconnected));
        assert_has_all_threads(&pool);
    }

    #[test]
    fn the_drop_runs_what_is_queued_and_ends_the_threads() {
        let pool = pool();
        let ends = assert_has_all_threads(&pool);
        let (done, jobs) = channel();
        for _ in 0..1000 {
            let done = done.clone();
            pool.spawn(move || done.send(()).unwrap());
        }
        comes_to_an_end(|| drop(pool));
        assert_eq!(jobs.try_iter().count(), 1000);
        assert_eq!(ends.recv_timeout(WATCHDOG), Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_job_may_drop_the_pool() {
        let pool = pool();
        let ends = assert_has_all_threads(&pool);
        let (pass, passed) = channel::<CondvarQueuePool>();
        pool.spawn(move || drop(passed.recv().unwrap()));
        pass.send(pool).unwrap();
        assert_eq!(ends.recv_timeout(WATCHDOG), Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn zero_threads_are_refused() {
        let Err(error) = CondvarQueuePool::new(0) else { panic!("a pool without threads") };
        assert!(error.to_string().contains("at least one thread"), "{error}");
    }
}
