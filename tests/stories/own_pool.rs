//! The pool that is dropped inside one of its own jobs.
//!
//! A pool whose drop joins its workers is dropped by a job that held the last reference to it. Then
//! a thread waits for itself to end. std notices (the C library refuses such a join) and panics in
//! the middle of the drop. Ours let it go (`dropping_the_pool_inside_its_own_job_ends_its_threads` in
//! `tests/kit`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

type Job = Box<dyn FnOnce() + Send>;

/// A pool of one thread that closes its queue and joins, as a pool should.
struct Pool {
    queue: Option<Sender<Job>>,
    worker: Option<JoinHandle<()>>,
}

impl Pool {
    fn new() -> Pool {
        let (queue, jobs): (_, Receiver<Job>) = channel();
        let worker = thread::spawn(move || jobs.iter().for_each(|job| job()));
        Pool { queue: Some(queue), worker: Some(worker) }
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.queue.as_ref().unwrap().send(Box::new(job)).unwrap();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue = None;
        let _ = self.worker.take().unwrap().join();
    }
}

#[test]
fn a_worker_that_joins_itself_panics() {
    let (pass, passed) = channel::<Pool>();
    let (end, ended) = channel();
    let pool = Pool::new();
    pool.spawn(move || {
        let pool = passed.recv().unwrap();
        end.send(catch_unwind(AssertUnwindSafe(|| drop(pool)))).unwrap();
    });
    pass.send(pool).unwrap();
    let words = *ended.recv().unwrap().unwrap_err().downcast::<String>().unwrap();
    println!("the drop panics: {words}");
    assert!(words.contains("failed to join thread"), "{words}");
}
