//! Chapter 1. `NaiveThreadPool` starts as many threads as it has jobs. Write a `ThreadPool` that also
//! starts a thread for each job, but never has more than `threads` jobs under way: when all places are
//! taken, `spawn` waits for one.
//!
//! The idea: a counter behind a lock, a condition variable to wait for it, and a guard. The guard is
//! the place: who has it may run, and its drop gives the place back on every way out, also when the
//! job panics and when the operating system refuses the thread.
//!
//! A job must not `spawn` on its own pool: with all places taken by jobs that do so, each waits for
//! another one to end.

use naive_pool::thread_pool::ThreadPool;
use naive_pool::{KvsError, Result};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// A thread for each job, and never more jobs than places.
pub(crate) struct BoundedPool(Arc<Places>);

struct Places {
    /// How many are free. No thread panics while it holds the lock, so it is never poisoned.
    free: Mutex<u32>,
    /// Told when a place is given back.
    given_back: Condvar,
}

/// The right to run a job.
struct Place(Arc<Places>);

impl Place {
    fn wait_for(places: &Arc<Places>) -> Place {
        let free = places.free.lock().unwrap();
        // The condition is looked at again after each wake-up: another `spawn` may have come first.
        let mut free = places.given_back.wait_while(free, |free| *free == 0).unwrap();
        *free -= 1;
        Place(Arc::clone(places))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap() += 1;
        // One place, one who waits.
        self.0.given_back.notify_one();
    }
}

impl ThreadPool for BoundedPool {
    fn new(threads: u32) -> Result<Self> {
        if threads == 0 {
            return Err(KvsError::Pool("without a place every spawn would wait for ever".into()));
        }
        Ok(BoundedPool(Arc::new(Places { free: Mutex::new(threads), given_back: Condvar::new() })))
    }

    /// Waits for a place. If the operating system refuses the thread, the job is dropped.
    fn spawn<F>(&self, job: F)
    where
        F: FnOnce() + Send + 'static,
    {
        let place = Place::wait_for(&self.0);
        // The thread owns the place, and a thread that is refused drops what it was to own.
        let thread = thread::Builder::new().spawn(move || {
            let _place = place;
            job();
        });
        if let Err(error) = thread {
            eprintln!("a job is dropped, there is no thread for it: {error}");
        }
    }
}
