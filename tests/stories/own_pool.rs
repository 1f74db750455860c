//! The pool that is dropped inside one of its own jobs.
//!
//! A pool whose drop joins its workers is dropped by a job that held the last reference to it. Then
//! a thread waits for itself to end. std notices (the C library refuses such a join) and panics in
//! the middle of the drop.

use shared_queue::thread_pool::{SharedQueueThreadPool, ThreadPool};
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

/// Lets a job of the pool drop it. Returns what came of it: nothing, or the words of a panic.
fn drop_in_a_job<P: Send + 'static>(pool: P, spawn: fn(&P, Job)) -> Result<(), String> {
    let (pass, passed) = channel::<P>();
    let (end, ended) = channel();
    let job = move || {
        let pool = passed.recv().unwrap();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(pool)));
        let words = |panic: Box<dyn std::any::Any + Send>| *panic.downcast::<String>().unwrap();
        end.send(dropped.map_err(words)).unwrap();
    };
    spawn(&pool, Box::new(job));
    pass.send(pool).unwrap();
    ended.recv().unwrap()
}

#[test]
fn a_worker_that_joins_itself_panics() {
    let words = drop_in_a_job(Pool::new(), |pool, job| pool.spawn(job)).unwrap_err();
    println!("the drop panics: {words}");
    assert!(words.contains("failed to join thread"), "{words}");
}

#[test]
fn our_pool_lets_itself_be_dropped_by_its_own_job() {
    let pool = SharedQueueThreadPool::new(2).unwrap();
    assert_eq!(drop_in_a_job(pool, |pool, job| pool.spawn(job)), Ok(()));
}
