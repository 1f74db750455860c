//! One thread that takes a lock twice.
//!
//! An `RwLock` is not handed from reading to writing: who holds it for reading and asks for writing
//! waits for all readers to go, and is one of them. Less plain is the reader that takes the lock for
//! reading a second time. That works, in every test. But a writer that has come between must not wait
//! for ever, so std lets no new reader pass it; the second read waits for the writer, the writer for
//! the first read, and the thread that holds that one is the thread that waits.

use kvs_test_kit::child::Child;
use std::sync::{Arc, RwLock};
use std::thread;

fn is_stuck(mut child: Child) {
    child.says("asks for the lock again");
    assert!(child.sleeps_for_ever());
}

#[test]
fn reading_and_then_writing_is_a_deadlock() {
    is_stuck(Child::runs(|| {
        let store = RwLock::new(0);
        let read = store.read().unwrap();
        eprintln!("asks for the lock again");
        *store.write().unwrap() = *read + 1;
    }));
}

#[test]
fn reading_twice_with_a_writer_between_is_a_deadlock() {
    is_stuck(Child::runs(|| {
        let store = Arc::new(RwLock::new(0));
        let first = store.read().unwrap();
        let shared = Arc::clone(&store);
        thread::spawn(move || *shared.write().unwrap() += 1);
        // That no reader gets in any more, though only readers are inside, says that the writer waits.
        while let Ok(another) = store.try_read() {
            drop(another);
            thread::yield_now();
        }
        eprintln!("asks for the lock again");
        assert_eq!(*store.read().unwrap(), *first);
    }));
}

/// The same without a writer: nothing that a test of one thread would notice.
#[test]
fn reading_twice_without_a_writer_works() {
    let store = RwLock::new(0);
    let first = store.read().unwrap();
    assert_eq!(*store.read().unwrap(), *first);
}
