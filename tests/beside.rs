//! What a reader may do while another thread is held inside the store, at a sync point of the log.
#![cfg(all(debug_assertions, any(stage = "6", stage = "7")))]

use kvs::{KvStore, KvsEngine};
use kvs_common::sync_points::{Point, install};
use kvs_test_kit::{WATCHDOG, comes_to_an_end};
use std::cell::RefCell;
use std::sync::Once;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use tempfile::TempDir;

/// Where a thread is to be held, whom it tells that it is there, and what it waits for.
type Hold = (Point, Sender<()>, Receiver<()>);

thread_local!(static HOLD: RefCell<Option<Hold>> = const { RefCell::new(None) });

/// Does `meanwhile` while a thread that does `work` is held the first time that it comes to `point`.
fn while_held(
    point: Point,
    work: impl FnOnce() + Send + 'static,
    meanwhile: impl FnOnce() + Send + 'static,
) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let held = |point| {
            let hold = HOLD.with_borrow_mut(|hold| hold.take_if(|(at, ..)| *at == point));
            if let Some((_, here, go_on)) = hold {
                here.send(()).unwrap();
                let _ = go_on.recv();
            }
        };
        assert!(install(held), "the sync points are not compiled in");
    });
    let ((here, is_here), (go_on, wait)) = (channel(), channel());
    let held = thread::spawn(move || {
        HOLD.set(Some((point, here, wait)));
        work();
    });
    is_here.recv_timeout(WATCHDOG).expect("it never comes there");
    comes_to_an_end(meanwhile);
    drop(go_on);
    held.join().unwrap();
}

fn store() -> (KvStore, KvStore, TempDir) {
    let dir = TempDir::new().unwrap();
    let store = KvStore::open(dir.path()).unwrap();
    store.set("key".to_owned(), "value".to_owned()).unwrap();
    (store.clone(), store, dir)
}

fn finds_the_value(store: KvStore) -> impl FnOnce() + Send + 'static {
    move || assert_eq!(store.get("key".to_owned()).unwrap().as_deref(), Some("value"))
}

#[test]
fn a_get_passes_another_one() {
    let (store, same, _dir) = store();
    while_held(Point::Fetch, finds_the_value(store), finds_the_value(same));
}

#[cfg(stage = "7")]
#[test]
fn a_get_passes_a_set() {
    let (store, same, _dir) = store();
    let set = move || store.set("key".to_owned(), "later".to_owned()).unwrap();
    while_held(Point::Append, set, finds_the_value(same));
}

/// The only thing that a writer reads for.
#[cfg(stage = "7")]
#[test]
fn a_get_passes_a_compaction() {
    let (store, same, _dir) = store();
    let stats = store.clone();
    let compact = move || {
        let value = "v".repeat(1 << 16);
        (0..40).for_each(|_| store.set("other".to_owned(), value.clone()).unwrap());
    };
    while_held(Point::Fetch, compact, finds_the_value(same));
    assert!(stats.stats().compactions > 0);
}
