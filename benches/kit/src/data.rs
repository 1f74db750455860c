//! The keys and values: made from numbers, so that every answer can be checked without a copy.

use crate::Outcome;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// The bytes of the text that long values are pieces of. Long enough that a block of some engine
/// hardly ever holds the same piece twice, and compresses it away; short enough for a CPU's cache.
const TEXT: usize = 1 << 20;

/// Numbers in no order, the same for the same seed.
pub fn random(seed: u64) -> SmallRng {
    SmallRng::seed_from_u64(seed)
}

/// Spreads numbers over all 64 bits; no two numbers come to the same place.
fn scatter(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The digit of a number in base 16 that has so many after it.
fn digit(number: u64, after: usize) -> u8 {
    b"0123456789abcdef"[(number >> (4 * after)) as usize & 15]
}

/// A key of 16 bytes, without an allocation.
pub struct Key([u8; 16]);

impl Key {
    /// The key with this number. Keys with numbers in order are in no order.
    pub fn new(number: u64) -> Key {
        Key(std::array::from_fn(|place| digit(scatter(number), 15 - place)))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Values of one length, 16 bytes at least: the key's number, a version (an engine may skip a write
/// that changes nothing), and then text that differs from key to key and does not compress.
pub struct Values {
    len: usize,
    text: String,
}

impl Values {
    /// Those of so many bytes.
    pub fn new(len: usize) -> Values {
        let mut random = random(0);
        let text = (0..TEXT).map(|_| char::from(digit(random.random_range(0..16), 0))).collect();
        Values { len, text }
    }

    fn tail(&self, number: u64) -> &str {
        let tail = self.len - 16;
        let start = scatter(number) as usize % (TEXT - tail);
        &self.text[start..start + tail]
    }

    /// A value for the key with this number.
    pub fn make(&self, number: u64, version: u64) -> String {
        let mut value = String::with_capacity(self.len);
        let head = number << 32 | version & u64::from(u32::MAX);
        value.extend((0..16).rev().map(|after| char::from(digit(head, after))));
        value.push_str(self.tail(number));
        value
    }

    /// Checks that this is a value of that key, in whatever version.
    ///
    /// # Errors
    /// If it isn't.
    pub fn check(&self, number: u64, value: &[u8]) -> Outcome<()> {
        let is_right = value.len() == self.len
            && (0..8).all(|place| value[place] == digit(number, 7 - place))
            && &value[16..] == self.tail(number).as_bytes();
        if is_right { Ok(()) } else { Err(format!("key {number} has a value not its own").into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_belongs_to_its_key_and_to_no_other() {
        for len in [16, 1024] {
            let values = Values::new(len);
            let value = values.make(7, u64::MAX);
            assert_eq!(value.len(), len);
            assert!(values.check(7, value.as_bytes()).is_ok());
            assert!(values.check(8, value.as_bytes()).is_err());
            assert!(values.check(7, &value.as_bytes()[1..]).is_err());
        }
    }
}
