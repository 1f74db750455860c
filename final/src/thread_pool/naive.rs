use super::ThreadPool;
use crate::Result;
use crate::limited_log::LimitedLog;
use crate::panic::catch_panic;
use crate::sync::{channel, thread};
use std::convert::Infallible;

/// A client has it logged by being one too many.
static DROPPED: LimitedLog = LimitedLog::new("a job is dropped, there is no thread for it");

/// A thread for each job. Not a pool: it has no threads between jobs, and no limit to them.
///
/// Dropping it neither waits for its jobs nor stops them.
pub struct NaiveThreadPool;

impl ThreadPool for NaiveThreadPool {
    /// The number is of no use to it.
    fn new(_threads: u32) -> Result<Self> {
        Ok(NaiveThreadPool)
    }

    /// If the operating system refuses a thread, the job is dropped and the log says so; whoever
    /// waits for the job sees what it owned being dropped, a connection closed for instance.
    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        // Within `catch_panic`, because a job that is dropped may panic as well.
        catch_panic(|| {
            let (detached, is_detached) = channel::unbounded::<Infallible>();
            let thread = thread::Builder::new().name("kvs-naive".into());
            // The handle is dropped before the thread ends. In glibc 2.36 `pthread_detach` looks at the thread once
            // more after it has let go of it, and if that has ended meanwhile, the process gets a SIGSEGV.
            let run = move || {
                catch_panic(job);
                let _ = is_detached.recv();
            };
            match thread.spawn(run) {
                Ok(handle) => drop((handle, detached)),
                Err(error) => DROPPED.warn(error),
            }
        });
    }
}
