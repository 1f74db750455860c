//! The mutex that a panic has poisoned.
//!
//! A thread that panics while it holds a `Mutex` leaves it poisoned: from then on every `lock` returns
//! an error, and where the error is unwrapped every thread panics that comes by. One bad request and
//! no request is served any more. The poison is a question: is what the lock protects as it should be?
//! Who can answer it takes the guard out of the error; our stores change their memory last, so theirs
//! is as it was before.

use kvs_common::sync_points::{self, Point};
use kvs_test_kit::child::Child;
use shared_engine::{KvStore, KvsEngine};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

#[test]
fn after_one_panic_every_lock_that_is_unwrapped_panics() {
    let store = Arc::new(Mutex::new(0));
    let serve = |request: fn(&mut u32)| {
        let store = Arc::clone(&store);
        thread::spawn(move || request(&mut store.lock().unwrap())).join()
    };
    assert!(serve(|value| *value += 1).is_ok());
    assert!(serve(|_| panic!("one bad request")).is_err());
    for _ in 0..10 {
        assert!(serve(|value| *value += 1).is_err(), "a good request");
    }
    let value = *store.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(value, 1, "and the value that nobody reaches any more is right");
}

/// The panic comes from the log's sync point, while the store's lock is held.
#[test]
fn the_store_of_stage_2_serves_on_after_a_panic_under_its_lock() {
    if !cfg!(debug_assertions) {
        println!("skipped: a release build has no sync points");
        return;
    }
    // In a process of its own, because a hook is installed for all.
    let mut child = Child::runs(|| {
        let bad = AtomicBool::new(true);
        let hook = move |point| {
            // `Relaxed`: the requests come one after the other, each on a thread that is joined.
            if point == Point::Append && bad.swap(false, Ordering::Relaxed) {
                panic!("one bad request");
            }
        };
        assert!(sync_points::install(hook));
        let store = KvStore::open(".").unwrap();
        let set = |value: &str| {
            let (store, value) = (store.clone(), value.to_owned());
            thread::spawn(move || store.set("key".to_owned(), value).unwrap()).join()
        };
        assert!(set("bad").is_err());
        assert_eq!(store.get("key".to_owned()).unwrap(), None);
        assert!(set("good").is_ok());
        assert_eq!(store.get("key".to_owned()).unwrap(), Some("good".to_owned()));
    });
    child.says("one bad request");
    assert!(child.end().success());
}
