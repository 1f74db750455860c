//! The worker that spins after its pool is dropped.
//!
//! `recv` fails at once when nobody can send any more. A worker that only looks at the jobs that it
//! gets, and not at the error, asks again, for ever: a pool that is gone keeps its threads, and each
//! of them keeps a core busy. The pool works, so no test of its jobs notices; `threads_are_gone_after_drop` in
//! `tests/kit` would.

use crossbeam::channel::{self, Receiver};
use kvs_test_kit::child::Child;
use kvs_test_kit::process::threads_called;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// How often the worker has gone round its loop. Only its own value matters, so `Relaxed`.
static ROUNDS: AtomicU64 = AtomicU64::new(0);

fn work(jobs: &Receiver<Job>) {
    loop {
        ROUNDS.fetch_add(1, Ordering::Relaxed);
        if let Ok(job) = jobs.recv() {
            job();
        }
    }
}

#[test]
fn a_worker_that_passes_over_the_closed_queue_never_ends() {
    // In a process of its own, because nothing else would stop the thread.
    let mut child = Child::runs(|| {
        // A pool of one thread: all of it that is dropped is its queue.
        let (pool, jobs) = channel::unbounded::<Job>();
        thread::Builder::new().name("old-pool".into()).spawn(move || work(&jobs)).unwrap();
        let (done, ended) = channel::bounded(0);
        pool.send(Box::new(move || done.send(()).unwrap())).unwrap();
        ended.recv().unwrap();
        // One round for the job, and another one that waits.
        while ROUNDS.load(Ordering::Relaxed) < 2 {
            thread::yield_now();
        }
        eprintln!("rounds before the pool was dropped: {}", ROUNDS.load(Ordering::Relaxed));
        drop(pool);
        for rounds in [1_000, 1_000_000] {
            while ROUNDS.load(Ordering::Relaxed) < rounds {
                thread::yield_now();
            }
            eprintln!("rounds afterwards: {rounds}");
        }
        assert_eq!(threads_called(process::id(), "old-pool").0, 1);
        eprintln!("and it goes on");
    });
    assert_eq!(child.says("rounds before the pool was dropped: "), "2");
    child.says("and it goes on");
    assert!(child.end().success());
}
