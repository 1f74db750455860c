//! Places to run jobs.

mod naive;
mod rayon;
mod shared_queue;

pub use naive::NaiveThreadPool;
pub use rayon::RayonThreadPool;
pub use shared_queue::SharedQueueThreadPool;

use crate::Result;
use crate::sync::fault;
use crate::sync::thread::{self, JoinHandle};

/// Something that runs jobs on threads.
pub trait ThreadPool: Sized {
    /// Makes a pool of so many threads.
    ///
    /// # Errors
    /// [`KvsError::Pool`](crate::KvsError::Pool) if it cannot have them.
    fn new(threads: u32) -> Result<Self>;

    /// Runs `job` on one of the pool's threads, soon. Does not wait for it. A job that panics harms
    /// no other. What ends the process, as on every thread: a drop that panics while a panic is on
    /// its way, a thread-local whose drop panics, a stack that overflows; and with `panic = "abort"`
    /// every panic.
    fn spawn(&self, job: impl FnOnce() + Send + 'static);
}

/// Waits until a pool's threads have ended, unless one of them is the caller.
fn join(threads: &mut Vec<JoinHandle<()>>) {
    let caller = thread::current().id();
    fault!("a worker joins itself", threads.drain(..).for_each(|thread| drop(thread.join())));
    if threads.iter().any(|thread| thread.thread().id() == caller) {
        return;
    }
    for thread in threads.drain(..) {
        // An error would be a panic of the thread's own code, which the hook has reported.
        let _ = thread.join();
    }
}
