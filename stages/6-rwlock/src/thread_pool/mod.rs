//! Places to run jobs.

mod naive;
mod rayon;
mod shared_queue;

pub use naive::NaiveThreadPool;
pub use rayon::RayonThreadPool;
pub use shared_queue::SharedQueueThreadPool;

use kvs_common::Result;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};

/// Something that runs jobs on threads.
pub trait ThreadPool: Sized {
    /// Makes a pool of so many threads.
    ///
    /// # Errors
    /// [`KvsError::Pool`](kvs_common::KvsError::Pool) if it cannot have them.
    fn new(threads: u32) -> Result<Self>;

    /// Runs `job` on one of the pool's threads, soon. Does not wait for it. A job that panics harms
    /// no other. What ends the process, as on every thread: a drop that panics while a panic is on
    /// its way, a thread-local whose drop panics, a stack that overflows; and with `panic = "abort"`
    /// every panic.
    fn spawn<F>(&self, job: F)
    where
        F: FnOnce() + Send + 'static;
}

/// Runs a job on the calling thread; if it panics, that is the end of the job and of nothing else.
///
/// No code looks at what a job may have left half-done: it owns what it captured, and what it shares
/// is behind locks that answer for themselves. Hence `AssertUnwindSafe`.
fn run_catching_panics(job: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(job)) {
        discard(payload);
    }
}

/// Drops what a panic left, and with it what that owns: a file, a sender.
///
/// `panic_any` allows a payload of any type, also one whose own `Drop` panics, which here would
/// end the thread or the process. So that is caught as well, and what the second panic left is leaked.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

/// Waits until a pool's threads have ended, unless one of them is the caller.
fn join(threads: &mut Vec<JoinHandle<()>>) {
    let caller = thread::current().id();
    if threads.iter().any(|thread| thread.thread().id() == caller) {
        return;
    }
    for thread in threads.drain(..) {
        // An error would be a panic of the thread's own code, which the hook has reported.
        let _ = thread.join();
    }
}
