//! `thread::spawn` panics when the operating system refuses a thread.
//!
//! A server that starts a thread for each connection meets that limit some day, and then the thread
//! that accepts connections is the one that panics. `thread::Builder` gives the same refusal as an
//! error, which can be answered.

use crate::child::{Child, is_told_here};
use naive_pool::thread_pool::{NaiveThreadPool, ThreadPool};
use std::panic::catch_unwind;
use std::sync::RwLock;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};

/// A gigabyte of addresses, and a hundred megabytes of them for each stack: a handful of threads
/// fit, and what they need besides always does.
const FEW_THREADS: &str = "ulimit -v 1000000; export RUST_MIN_STACK=104857600 MALLOC_ARENA_MAX=1";

/// Starts threads that wait, until `start` has none any more. Returns what it said then.
fn until_refused<E>(start: impl Fn() -> Result<JoinHandle<()>, E>) -> E {
    let mut threads = Vec::new();
    let refusal = loop {
        match start() {
            Ok(thread) => threads.push(thread),
            Err(refusal) => break refusal,
        }
    };
    eprintln!("threads: {}", threads.len());
    for thread in threads {
        thread.thread().unpark();
        thread.join().unwrap();
    }
    refusal
}

#[test]
fn spawn_panics_and_the_builder_returns_an_error() {
    let story = "refused_thread::spawn_panics_and_the_builder_returns_an_error";
    if !is_told_here(story) {
        let child = Child::start_after(FEW_THREADS, story);
        child.says("`spawn` panics: ");
        child.says("the builder answers: ");
        assert!(child.end().success());
        return;
    }
    let panic = until_refused(|| catch_unwind(|| thread::spawn(thread::park)));
    eprintln!("`spawn` panics: {}", panic.downcast_ref::<String>().unwrap());
    let error = until_refused(|| thread::Builder::new().spawn(thread::park));
    eprintln!("the builder answers: {error}");
}

#[test]
fn our_pool_drops_the_job_and_goes_on() {
    let story = "refused_thread::our_pool_drops_the_job_and_goes_on";
    if !is_told_here(story) {
        let child = Child::start_after(FEW_THREADS, story);
        let ran: usize = child.says("jobs that ran of 1000: ").parse().unwrap();
        assert!(0 < ran && ran < 1000, "there was no limit");
        assert!(child.end().success());
        return;
    }
    /// Jobs wait here until all were spawned.
    static GATE: RwLock<()> = RwLock::new(());
    let pool = NaiveThreadPool::new(1).unwrap();
    let (started, jobs) = channel();
    let closed = GATE.write().unwrap();
    for _ in 0..1000 {
        let started = started.clone();
        pool.spawn(move || {
            started.send(()).unwrap();
            drop(GATE.read());
        });
    }
    drop(started);
    drop(closed);
    // A job that got no thread is dropped, and its sender with it. So this ends.
    eprintln!("jobs that ran of 1000: {}", jobs.iter().count());
}
