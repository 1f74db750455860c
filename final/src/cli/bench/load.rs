use rand::{Rng, RngExt};
use std::time::Duration;

/// What is asked of the server, and when.
#[derive(Debug)]
pub(in crate::cli) struct Settings {
    pub(in crate::cli) clients: u64,
    /// Of all clients together.
    pub(in crate::cli) requests: u64,
    /// Those that are due in a second, in an open loop.
    pub(in crate::cli) rate: Option<f64>,
    pub(in crate::cli) read_ratio: f64,
    pub(in crate::cli) pipeline: usize,
    pub(in crate::cli) keys: u32,
    pub(in crate::cli) value_size: usize,
    pub(in crate::cli) connect_each: bool,
}

/// A request: a read or a write of a key.
#[derive(Clone, Copy)]
pub(super) struct Op {
    pub(super) key: u32,
    pub(super) is_read: bool,
}

impl Settings {
    /// The name of a key. The length of the values is part of it, so that benches that run at the
    /// same time and differ in it do not take each other's values for wrong.
    pub(super) fn key(&self, key: u32) -> String {
        format!("bench-{}-{key}", self.value_size)
    }

    /// The one value that a key may have: its number, filled up from the left, or its end.
    pub(super) fn value(&self, key: u32) -> String {
        let mut digits = "0".repeat(self.value_size) + &key.to_string();
        digits.split_off(digits.len() - self.value_size)
    }

    pub(super) fn next(&self, random: &mut impl Rng) -> Op {
        let key = random.random_range(..self.keys);
        Op { key, is_read: random.random_bool(self.read_ratio) }
    }

    /// When a request of an open loop is due after the beginning; those of all clients are numbered from 0 on.
    pub(super) fn due(&self, request: u64) -> Option<Duration> {
        let due = Duration::try_from_secs_f64(request as f64 / self.rate?);
        Some(due.unwrap_or(Duration::MAX))
    }

    /// When an open loop ends at the latest.
    pub(super) fn end(&self) -> Option<Duration> {
        Some(self.due(self.requests)?.saturating_mul(2).saturating_add(Duration::from_secs(1)))
    }
}
