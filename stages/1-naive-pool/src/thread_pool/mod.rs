//! Places to run jobs.

mod naive;

pub use naive::NaiveThreadPool;

use kvs_common::Result;

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
