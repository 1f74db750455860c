//! rayon's two habits that a server has to know.
//!
//! A job that was given to `spawn` and panics ends the process, with SIGABRT, unless the pool has a
//! `panic_handler`: rayon has nobody to hand the panic to, and does not like to lose it. And dropping
//! the pool tells its threads to end but waits for none of them, so a job may still run after that. Ours waits
//! (`jobs_that_wait_are_run_before_drop_returns` in `tests/kit`).

use kvs_test_kit::child::Child;
use std::os::unix::process::ExitStatusExt;
use std::sync::mpsc::channel;
use std::thread;

/// The signal of `abort`, on Linux.
const SIGABRT: i32 = 6;

fn builder() -> rayon::ThreadPoolBuilder {
    rayon::ThreadPoolBuilder::new().num_threads(1)
}

#[test]
fn a_panicking_job_ends_the_process() {
    let mut child = Child::runs(|| {
        let pool = builder().build().unwrap();
        pool.spawn(|| panic!("one request of one client"));
        // Nothing more to do: what ends this process is not here.
        loop {
            thread::park();
        }
    });
    child.says("one request of one client");
    assert_eq!(child.end().signal(), Some(SIGABRT));
}

#[test]
fn with_a_panic_handler_the_next_job_runs() {
    let (done, jobs) = channel();
    let told = done.clone();
    let pool = builder().panic_handler(move |_| told.send("the handler").unwrap()).build().unwrap();
    pool.spawn(|| panic!("one request of one client"));
    pool.spawn(move || done.send("the next job").unwrap());
    assert_eq!(jobs.iter().take(2).collect::<Vec<_>>(), ["the handler", "the next job"]);
}

#[test]
fn dropping_a_rayon_pool_does_not_wait_for_its_jobs() {
    let pool = builder().build().unwrap();
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
