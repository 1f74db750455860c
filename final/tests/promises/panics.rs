//! Jobs that panic, in each pool.

use super::promise::quietly;
use super::*;
use crossbeam::channel::{self, Sender};
use kvs_test_kit::pools::{Pool, THREADS, panicking_jobs_cost_no_thread};

fn cost_their_job<P>(name: &str, catches: bool, run: Run) -> Result<Count, String>
where
    P: ThreadPool + Send + Sync + 'static,
{
    let jobs = run.pick(100_000, 3_000_000);
    let pool = P::new(THREADS).unwrap();
    quietly(|| {
        panicking_jobs_cost_no_thread(Pool::new(move |job| pool.spawn(job)), jobs, catches);
        Ok(count(jobs, format!("panicking jobs in {name}"), jobs))
    })
}

pub(crate) fn cost_their_job_alone(run: Run) -> Outcome {
    if run.injects("a pool whose threads die") {
        cost_their_job::<Mortal>("a mortal pool", false, run)?;
    }
    Ok(vec![
        cost_their_job::<NaiveThreadPool>("the naive pool", true, run)?,
        cost_their_job::<SharedQueueThreadPool>("the shared queue", true, run)?,
        cost_their_job::<RayonThreadPool>("rayon", true, run)?,
    ])
}

type Job = Box<dyn FnOnce() + Send>;

/// A pool whose threads die with their jobs.
struct Mortal(Sender<Job>);

impl ThreadPool for Mortal {
    fn new(threads: u32) -> kvs_final::Result<Self> {
        let (sender, jobs) = channel::unbounded::<Job>();
        for _ in 0..threads {
            let jobs = jobs.clone();
            thread::spawn(move || jobs.iter().for_each(|job| job()));
        }
        Ok(Mortal(sender))
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        let _ = self.0.send(Box::new(job));
    }
}
