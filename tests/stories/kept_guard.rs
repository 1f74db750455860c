//! The lock that is kept while a job runs.
//!
//! std's `mpsc` has one consumer, so workers that share it put a `Mutex` around it. In
//! `while let Ok(job) = jobs.lock().unwrap().recv()` the guard is a temporary of the condition, and it
//! lives until the end of the body: the lock is held while the job runs, and of all the workers one
//! works. `let job = jobs.lock().unwrap().recv()` lets it go at the semicolon. crossbeam's channel has
//! many consumers and needs no lock.

use kvs_test_kit::child::Child;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// Gives two workers two jobs that wait for each other. Returns when both are done.
fn let_two_jobs_meet(work: fn(&Mutex<Receiver<Job>>)) {
    let (queue, jobs) = channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    let both = Arc::new(Barrier::new(2));
    let (done, ended) = channel();
    for _ in 0..2 {
        let jobs = Arc::clone(&jobs);
        thread::spawn(move || work(&jobs));
        let (both, done) = (Arc::clone(&both), done.clone());
        let job = move || {
            both.wait();
            done.send(()).unwrap();
        };
        queue.send(Box::new(job)).unwrap();
    }
    eprintln!("two jobs for two workers");
    drop(done);
    assert_eq!(ended.iter().count(), 2);
}

#[test]
fn a_guard_in_the_condition_of_while_let_makes_the_workers_take_turns() {
    let mut child = Child::runs(|| {
        let_two_jobs_meet(|jobs| {
            while let Ok(job) = jobs.lock().unwrap().recv() {
                job();
            }
        });
    });
    child.says("two jobs for two workers");
    assert!(child.sleeps_for_ever(), "the first job waits for the second, which nobody runs");
}

#[test]
fn a_guard_that_ends_with_its_statement_lets_the_other_worker_in() {
    let_two_jobs_meet(|jobs| {
        loop {
            let job = jobs.lock().unwrap().recv();
            let Ok(job) = job else { break };
            job();
        }
    });
}
