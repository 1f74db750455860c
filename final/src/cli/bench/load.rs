use crate::cli::args::BenchArgs;
use rand::{Rng, RngExt};

/// What is asked of the server.
pub(super) struct Load {
    pub(super) keys: u32,
    read_ratio: f64,
    value_size: usize,
}

/// A request.
pub(super) enum Op {
    Read(u32),
    Write(u32),
}

impl Load {
    pub(super) fn new(args: &BenchArgs) -> Load {
        Load { keys: args.keys(), read_ratio: args.read_ratio(), value_size: args.value_size() }
    }

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
        if random.random_bool(self.read_ratio) { Op::Read(key) } else { Op::Write(key) }
    }
}
