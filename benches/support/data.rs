//! The keys and values: made from numbers, so that every answer can be checked without a copy.

use crate::Outcome;

/// The bytes of the text that long values are pieces of. Long enough that a block of some engine
/// hardly ever holds the same piece twice, and compresses it away; short enough for a CPU's cache.
const TEXT: usize = 1 << 20;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Spreads numbers over all 64 bits; no two numbers come to the same place.
fn scatter(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A key of 16 bytes, without an allocation.
pub(crate) struct Key([u8; 16]);

impl Key {
    /// The key with this number. Keys with numbers in order are in no order.
    pub(crate) fn new(number: u64) -> Key {
        let scattered = scatter(number);
        Key(std::array::from_fn(|place| DIGITS[(scattered >> (60 - 4 * place)) as usize & 15]))
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Values of one length, 16 bytes at least: the key's number, a version (an engine may skip a write
/// that changes nothing), and then text that differs from key to key and does not compress.
pub(crate) struct Values {
    len: usize,
    text: String,
}

impl Values {
    pub(crate) fn new(len: usize) -> Values {
        let mut random = Random::new(0);
        let letter = |_| char::from(DIGITS[random.below(16) as usize]);
        Values { len, text: (0..TEXT).map(letter).collect() }
    }

    fn tail(&self, number: u64) -> &str {
        let tail = self.len - 16;
        let start = scatter(number) as usize % (TEXT - tail);
        &self.text[start..start + tail]
    }

    /// A value for the key with this number.
    pub(crate) fn make(&self, number: u64, version: u64) -> String {
        let mut value = String::with_capacity(self.len);
        let head = number << 32 | version & u64::from(u32::MAX);
        for place in 0..16 {
            value.push(char::from(DIGITS[(head >> (60 - 4 * place)) as usize & 15]));
        }
        value.push_str(self.tail(number));
        value
    }

    /// Sees that this is a value of that key, in whatever version.
    pub(crate) fn check(&self, number: u64, value: &[u8]) -> Outcome<()> {
        let digit = |place: usize| DIGITS[(number >> (28 - 4 * place)) as usize & 15];
        let right = value.len() == self.len
            && (0..8).all(|place| value[place] == digit(place))
            && &value[16..] == self.tail(number).as_bytes();
        if right { Ok(()) } else { Err(format!("key {number} has a value not its own").into()) }
    }
}

/// Numbers in no order, the same for the same seed: xorshift64, after Marsaglia (2003).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(0x1234_5678_9abc_def1 ^ scatter(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One from 0 to just below the bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[cfg(test)]
#[allow(unused)] // a bench without a harness is built with `test`, and has no tests
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

    #[test]
    fn no_two_keys_are_alike() {
        let keys: std::collections::HashSet<_> = (0..10_000).map(|n| Key::new(n).0).collect();
        assert_eq!(keys.len(), 10_000);
    }
}
