//! What the server counts.

use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::fmt;

/// What the connections of one event loop cost, and what its thread has done; added up when a client asks.
///
/// A loop has them to itself, on cache lines of their own. Each number is for people, or compared with a
/// limit, and stands alone: `Relaxed`.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Counters {
    pub(super) requests: Counter,
    pub(super) errors: Counter,
    pub(super) bytes_in: Counter,
    pub(super) bytes_out: Counter,
    pub(super) timed_out: Counter,
    pub(super) turns: Counter,
    /// Bytes in the buffers of the connections that belong to the loop.
    buffered: AtomicUsize,
}

impl Counters {
    /// A connection of the loop has `new` bytes in its buffers and had `old`, which is perhaps seen while
    /// another thread serves it.
    pub(super) fn rebuffer(&self, old: usize, new: usize) {
        if old != new {
            self.buffered.fetch_add(new.wrapping_sub(old), Ordering::Relaxed);
        }
    }

    pub(super) fn buffered(&self) -> usize {
        self.buffered.load(Ordering::Relaxed)
    }
}

/// A number that grows, and that one thread adds to.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        if count > 0 {
            self.0.store(self.get() + count, Ordering::Relaxed);
        }
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
