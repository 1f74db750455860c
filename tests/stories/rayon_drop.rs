//! The pool of rayon that doesn't wait.
//!
//! Dropping it tells its threads to end but waits for none of them, so a job may still run after that. Ours waits
//! (`jobs_that_wait_are_run_before_drop_returns` in `tests/kit`).

use std::sync::mpsc::channel;

#[test]
fn dropping_a_rayon_pool_does_not_wait_for_its_jobs() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let (open, gate) = channel();
    let (end, ended) = channel();
    pool.spawn(move || {
        gate.recv().unwrap();
        end.send(()).unwrap();
    });
    drop(pool);
    // The pool is gone, and its job waits for what only happens now.
    open.send(()).unwrap();
    ended.recv().unwrap();
}
