use super::{ThreadPool, discard, join};
use kvs_common::{KvsError, Result};
use std::thread::{self, JoinHandle};

/// A fixed number of threads, each with a queue of its own; a thread without work steals from the
/// others. The work is rayon's.
///
/// Its queues have no limit, so `spawn` never waits. A worker takes first what its own jobs spawned,
/// the last of it first, and what came from outside the pool only when it finds nothing else: if
/// its jobs always spawn others, it never comes to that. Before it sleeps it looks around for a
/// while, so with little to do the pool takes more processor time than the shared queue does.
///
/// rayon ends the process when a job panics, unless it is told what else to do. And its own drop
/// waits for no thread, so the threads are started and joined here. As with the shared queue, the
/// jobs that wait are still run when the pool is dropped, and a drop from inside a job doesn't wait.
pub struct RayonThreadPool {
    /// `None` only while the pool is being dropped.
    pool: Option<rayon::ThreadPool>,
    threads: Vec<JoinHandle<()>>,
}

impl ThreadPool for RayonThreadPool {
    fn new(threads: u32) -> Result<Self> {
        if threads == 0 {
            return Err(KvsError::Pool("a pool needs at least one thread".into()));
        }
        let most = rayon::max_num_threads();
        if threads as usize > most {
            return Err(KvsError::Pool(format!("a pool of rayon has at most {most} threads")));
        }
        let mut started = Vec::new();
        let built = rayon::ThreadPoolBuilder::new()
            .num_threads(threads as usize)
            .panic_handler(discard)
            .spawn_handler(|worker| {
                let name = format!("kvs-rayon-{}", worker.index());
                started.push(thread::Builder::new().name(name).spawn(|| worker.run())?);
                Ok(())
            })
            .build();
        match built {
            Ok(pool) => Ok(RayonThreadPool { pool: Some(pool), threads: started }),
            Err(error) => {
                let number = started.len();
                join(&mut started);
                Err(KvsError::Pool(format!("cannot start thread {number} of {threads}: {error}")))
            }
        }
    }

    fn spawn<F>(&self, job: F)
    where
        F: FnOnce() + Send + 'static,
    {
        if let Some(pool) = &self.pool {
            pool.spawn(job);
        }
    }
}

impl Drop for RayonThreadPool {
    fn drop(&mut self) {
        self.pool = None;
        join(&mut self.threads);
    }
}
