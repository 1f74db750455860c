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

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    fn load(value_size: usize, read_ratio: f64) -> Load {
        Load { keys: 100, read_ratio, value_size }
    }

    #[test]
    fn a_value_has_the_length_that_was_asked_for() {
        assert_eq!(load(5, 0.0).value(42), "00042");
        assert_eq!(load(1, 0.0).value(42), "2");
        assert_eq!(load(0, 0.0).value(42), "");
        assert_eq!(load(100_000, 0.0).value(42).len(), 100_000);
    }

    #[test]
    fn the_ratio_is_that_of_reads() {
        let reads = |ratio| {
            let (load, mut random) = (load(1, ratio), SmallRng::seed_from_u64(7));
            (0..1000).filter(|_| matches!(load.next(&mut random), Op::Read(0..100))).count()
        };
        assert_eq!((reads(0.0), reads(1.0)), (0, 1000));
        assert!((400..600).contains(&reads(0.5)), "{}", reads(0.5));
    }
}
