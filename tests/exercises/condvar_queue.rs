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
