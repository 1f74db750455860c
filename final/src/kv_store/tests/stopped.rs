//! The end of all writing, before the store is closed.

use super::open;
use crate::KvStore;
use crate::disk::SimulatedDisk;
use std::sync::{Mutex, OnceLock};

static STORE: OnceLock<KvStore> = OnceLock::new();
static SEEN: Mutex<Vec<bool>> = Mutex::new(Vec::new());

/// Looks, when the log says why `STORE` has stopped, whether it has.
struct Witness;

impl log::Log for Witness {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, line: &log::Record<'_>) {
        if line.args().to_string().ends_with("the first reason") {
            SEEN.lock().unwrap().push(STORE.get().unwrap().0.writer.stopped().is_some());
        }
    }

    fn flush(&self) {}
}

/// Whoever takes log lines may take any time for one.
#[test]
fn writing_has_ended_when_the_log_says_so_and_it_says_so_once() {
    log::set_logger(&Witness).unwrap();
    log::set_max_level(log::LevelFilter::Error);
    let store = STORE.get_or_init(|| open(&SimulatedDisk::new()).unwrap());
    for reason in ["the first reason", "another"] {
        let stopped = store.0.writer.stop(reason.to_owned()).to_string();
        assert!(stopped.ends_with("the first reason"), "{stopped}");
    }
    assert_eq!(*SEEN.lock().unwrap(), [true]);
}
