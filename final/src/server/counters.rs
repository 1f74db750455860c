use crate::sync::atomic::{AtomicU64, Ordering};
use std::fmt;

/// What a server counts. Each number is for people and stands alone, so all accesses are `Relaxed`;
/// a turn of a connection adds what it did once, at its end.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) requests: Counter,
    pub(super) errors: Counter,
    pub(super) bytes_in: Counter,
    pub(super) bytes_out: Counter,
    pub(super) accepted: Counter,
    pub(super) refused: Counter,
    pub(super) timed_out: Counter,
    pub(super) jobs: Counter,
    pub(super) turns: Counter,
}

/// A number that grows.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        if count > 0 {
            self.0.fetch_add(count, Ordering::Relaxed);
        }
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.load(Ordering::Relaxed).fmt(f)
    }
}
