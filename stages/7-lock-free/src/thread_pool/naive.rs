use super::{ThreadPool, run_catching_panics};
use kvs_common::Result;
use std::thread;

/// A thread for each job. Not a pool: it has no threads between jobs, and no limit to them.
///
/// Dropping it neither waits for its jobs nor stops them.
pub struct NaiveThreadPool;

impl ThreadPool for NaiveThreadPool {
    /// The number is of no use to it.
    fn new(_threads: u32) -> Result<Self> {
        Ok(NaiveThreadPool)
    }

    /// If the operating system refuses a thread, the job is dropped and the log says so. A thread
    /// that waits for it sees what it owned being dropped, a connection closed for instance.
    fn spawn<F>(&self, job: F)
    where
        F: FnOnce() + Send + 'static,
    {
        // Within `run_catching_panics`, because a job that is dropped may panic as well.
        run_catching_panics(|| {
            let thread = thread::Builder::new().name("kvs-naive".into());
            if let Err(error) = thread.spawn(|| run_catching_panics(job)) {
                log::error!("a job is dropped, there is no thread for it: {error}");
            }
        });
    }
}
