use super::{ThreadPool, join, run_catching_panics};
use crossbeam::channel::{self, Receiver, Sender};
use kvs_common::{KvsError, Result};
use std::thread::{self, JoinHandle};

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads that take their jobs from one queue.
///
/// The queue is a channel with many consumers, so a worker waits for a job without holding a lock
/// that the other workers need. It has no limit: `spawn` never waits.
///
/// **A job that panics** costs no thread: the worker catches the panic and takes the next job. The
/// other way, to let the thread die and to start another one, costs a thread start for each
/// panic, and leaves the pool one short whenever the operating system refuses the new thread.
///
/// **Dropping the pool** closes the queue. The jobs in it are still run, then the workers return,
/// and the drop waits for them. Dropped from inside one of its own jobs it doesn't wait: the
/// worker that drops it cannot wait for itself, and another one might wait for this job.
pub struct SharedQueueThreadPool {
    /// `None` only while the pool is being dropped.
    queue: Option<Sender<Job>>,
    workers: Vec<JoinHandle<()>>,
}

impl ThreadPool for SharedQueueThreadPool {
    fn new(threads: u32) -> Result<Self> {
        if threads == 0 {
            return Err(KvsError::Pool("a pool needs at least one thread".into()));
        }
        let (queue, jobs) = channel::unbounded();
        let mut pool = SharedQueueThreadPool { queue: Some(queue), workers: Vec::new() };
        for number in 0..threads {
            let jobs = jobs.clone();
            let worker = thread::Builder::new().name(format!("kvs-queue-{number}"));
            // If this fails, the drop of `pool` ends and joins the workers that were started.
            let worker = worker.spawn(move || work(&jobs)).map_err(|error| {
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
        if let Some(queue) = &self.queue
            && queue.send(Box::new(job)).is_err()
        {
            // Workers end only when the queue is closed, so a worker receives.
            log::error!("a job is dropped, the pool has no worker");
        }
    }
}

impl Drop for SharedQueueThreadPool {
    fn drop(&mut self) {
        self.queue = None;
        join(&mut self.workers);
    }
}

/// A worker's life: it ends when the queue is closed and empty.
fn work(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        run_catching_panics(job);
    }
}
