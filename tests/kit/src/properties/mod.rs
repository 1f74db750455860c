//! What holds of bytes from outside, whatever they are. Each property is tried on inputs that are
//! generated from a seed, and says what it came across: inputs that are all refused at once show little.

pub(crate) mod directory;
pub use directory::starts;
mod requests;

use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::thread;

/// What was come across, and how often.
pub type Reached = BTreeMap<String, u64>;

/// Something that holds, whatever the input is.
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// What an input is, in the plural.
    pub inputs: &'static str,
    /// The fault that it must notice.
    pub fault: &'static str,
    /// How many different things its inputs come across at least: what is answered, and each reason for which
    /// something is refused. (What a fuzzer had kept in a thousand inputs came across 34 and 12.)
    pub reaches: usize,
    generate: fn(&mut StdRng) -> Vec<u8>,
    hold: fn(&[u8], bool, &mut Reached),
}

/// All of them.
pub const PROPERTIES: [Property; 2] = [
    Property {
        name: "requests",
        inputs: "inputs of a connection",
        fault: "a line that is forgotten when its next piece comes",
        reaches: 30,
        generate: requests::generate,
        hold: requests::hold,
    },
    Property {
        name: "directory",
        inputs: "directories",
        fault: "damage with a checksum that fits",
        reaches: 13,
        generate: directory::generate,
        hold: directory::hold,
    },
];

impl Property {
    /// Tries it on so many inputs of this seed, with its fault if that is the one that is injected.
    pub fn holds(&self, seed: u64, inputs: u64, injected: &str) -> Reached {
        let mut random = StdRng::seed_from_u64(seed);
        let mut reached = Reached::new();
        for _ in 0..inputs {
            let input = Input(self.name, (self.generate)(&mut random));
            (self.hold)(&input.1, injected == self.fault, &mut reached);
        }
        reached
    }
}

/// An input, which is printed if the property does not hold of it.
struct Input(&'static str, Vec<u8>);

impl Drop for Input {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}: {:?}", self.0, self.1);
        }
    }
}

fn note(reached: &mut Reached, what: impl Into<String>) {
    *reached.entry(what.into()).or_default() += 1;
}
