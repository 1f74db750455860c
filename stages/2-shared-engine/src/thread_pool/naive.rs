use super::ThreadPool;
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
    /// that waits for it sees what it owned being dropped, a connection closed for instance. A panic
    /// is the end of the job's thread; one whose payload panics again when it is dropped is the end of
    /// the process.
    fn spawn<F>(&self, job: F)
    where
        F: FnOnce() + Send + 'static,
    {
        let thread = thread::Builder::new().name("kvs-naive".into());
        if let Err(error) = thread.spawn(job) {
            log::error!("a job is dropped, there is no thread for it: {error}");
        }
    }
}
