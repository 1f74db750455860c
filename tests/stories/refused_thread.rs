//! `thread::spawn` panics when the operating system refuses a thread.
//!
//! A server that starts a thread for each connection meets that limit some day, and then the thread
//! that accepts connections is the one that panics. `thread::Builder` gives the same refusal as an
//! error, which can be answered: our pools do that (`tests/thread_pool.rs`).

use kvs_test_kit::child::{Child, FEW_THREADS};
use std::panic::catch_unwind;
use std::thread::{self, JoinHandle};

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
    let mut child = Child::runs_after(FEW_THREADS, || {
        let panic = until_refused(|| catch_unwind(|| thread::spawn(thread::park)));
        eprintln!("`spawn` panics: {}", panic.downcast_ref::<String>().unwrap());
        let error = until_refused(|| thread::Builder::new().spawn(thread::park));
        eprintln!("the builder answers: {error}");
    });
    child.says("`spawn` panics: ");
    child.says("the builder answers: ");
    assert!(child.end().success());
}
