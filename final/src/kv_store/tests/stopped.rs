//! The end of all writing, before the store is closed.

use super::open;
use crate::KvStore;
use crate::disk::SimulatedDisk;
use std::cell::RefCell;

thread_local! {
    static STORE: RefCell<Option<KvStore>> = const { RefCell::new(None) };
    static SEEN: RefCell<Vec<bool>> = const { RefCell::new(Vec::new()) };
}

/// Looks whether the store of the thread that logs has stopped.
struct Witness;

impl log::Log for Witness {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &log::Record<'_>) {
        STORE.with_borrow(|store| {
            let stopped = store.iter().map(|store| store.0.writer.stopped().is_some());
            SEEN.with_borrow_mut(|seen| seen.extend(stopped));
        });
    }

    fn flush(&self) {}
}

/// Whoever takes log lines may take any time for one.
#[test]
fn writing_has_ended_when_the_log_says_so_and_it_says_so_once() {
    log::set_logger(&Witness).unwrap();
    log::set_max_level(log::LevelFilter::Error);
    let store = open(&SimulatedDisk::new()).unwrap();
    STORE.set(Some(store.clone()));
    for reason in ["the first reason", "another"] {
        let stopped = store.0.writer.stop(reason.to_owned()).to_string();
        assert!(stopped.ends_with("the first reason"), "{stopped}");
    }
    assert_eq!(SEEN.take(), [true]);
    STORE.take();
}
