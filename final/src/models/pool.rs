//! The pool with one queue: jobs, panics, and the end.

use super::model::{Model, WANTED};
use crate::thread_pool::{SharedQueueThreadPool, ThreadPool};
use loom::sync::Mutex;
use std::sync::Arc;

pub(crate) fn models() -> Vec<Model> {
    vec![
        Model::new("a pool of one is dropped", || dropped(1)),
        Model::new("a pool of two is dropped", || dropped(2)).max_preemptions(3),
        Model::new("a pool is dropped by its job", dropped_by_its_job).max_preemptions(3),
        Model::new("a job panics", job_panics),
    ]
}

#[derive(Clone, Default)]
struct Count(Arc<Mutex<u32>>);

impl Count {
    fn job(&self) -> impl FnOnce() + use<> {
        let count = self.clone();
        move || *count.0.lock().unwrap() += 1
    }

    fn jobs(&self) -> u32 {
        *self.0.lock().unwrap()
    }
}

/// The jobs that wait are run, then the workers end, and only then the drop.
fn dropped(threads: u32) {
    let (pool, count) = (SharedQueueThreadPool::new(threads).unwrap(), Count::default());
    pool.spawn(count.job());
    pool.spawn(count.job());
    drop(pool);
    assert_eq!(count.jobs(), 2, "jobs that were run when the drop ends");
}

/// The drop waits for nobody then, and still every job is run and every worker ends.
fn dropped_by_its_job() {
    let (pool, count) = (SharedQueueThreadPool::new(2).unwrap(), Count::default());
    let place = Arc::new(Mutex::new(None));
    let owner = Arc::clone(&place);
    let (first, second) = (count.job(), count.job());
    pool.spawn(move || {
        let pool = owner.lock().unwrap().take();
        drop::<Option<SharedQueueThreadPool>>(pool);
        first();
    });
    pool.spawn(second);
    *place.lock().unwrap() = Some(pool);
    // Whoever is the last one drops it: the job, or, if the job came too early, this thread.
    drop(place);
}

/// A panic costs its own job only.
fn job_panics() {
    let (pool, count) = (SharedQueueThreadPool::new(1).unwrap(), Count::default());
    pool.spawn(|| std::panic::panic_any(WANTED));
    pool.spawn(count.job());
    pool.spawn(count.job());
    drop(pool);
    assert_eq!(count.jobs(), 2, "jobs that were run when the drop ends");
}
