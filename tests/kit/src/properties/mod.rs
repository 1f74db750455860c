//! What holds of bytes from outside, whatever they are. Each property is tried on inputs that are
//! made from a seed, and says what it came across: inputs that are all refused at once show little. Here
//! are the bytes that a client sends; those of a store's files are in `directory.rs`.

pub(crate) mod directory;
pub use directory::starts;

use kvs_final::protocol::{Line, LineDecoder, decode, encode};
use rand::rngs::StdRng;
use rand::seq::{IndexedMutRandom, IndexedRandom};
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;

/// What was come across, and how often.
pub type Reached = BTreeMap<String, u64>;

/// Something that holds, whatever the input is.
pub struct Property {
    /// What an input is, in the plural.
    pub inputs: &'static str,
    /// The fault that it must notice.
    pub fault: &'static str,
    /// How many different things its inputs come across at least: what is answered, and each reason for which
    /// something is refused. (What a fuzzer had kept in a thousand inputs came across 34 and 12.)
    pub reaches: usize,
    /// Makes an input and tries it, with the fault or without.
    hold: fn(&mut StdRng, bool, &mut Reached),
}

/// All of them.
pub const PROPERTIES: [Property; 2] = [
    Property {
        inputs: "inputs of a connection",
        fault: "a line that is forgotten when its next piece comes",
        reaches: 30,
        hold,
    },
    Property {
        inputs: "directories",
        fault: "damage with a checksum that fits",
        reaches: 13,
        hold: directory::hold,
    },
];

impl Property {
    /// Tries it on so many inputs of this seed, with its fault if that is the one that is injected.
    pub fn holds(&self, seed: u64, inputs: u64, injected: &str) -> Reached {
        let mut random = StdRng::seed_from_u64(seed);
        let mut reached = Reached::new();
        for _ in 0..inputs {
            (self.hold)(&mut random, injected == self.fault, &mut reached);
        }
        reached
    }
}

fn note(reached: &mut Reached, what: impl Into<String>) {
    *reached.entry(what.into()).or_default() += 1;
}

/// Short, so that many lines are too long.
const LIMIT: usize = 64;

const PIECES: [&[u8]; 25] = [
    b"{\"Get\":{\"key\":\"k\"}}",
    b"{\"Set\":{\"key\":\"k\",\"value\":\"v\"}}",
    b"{\"Remove\":{\"key\":\"\\n\"}}",
    b"{\"Stats\":{}}",
    b"{\"CompareAndSet\":{\"key\":\"k\",\"new\":\"v\"}}",
    b"{\"Batch\":{\"writes\":[[\"k\",\"v\"],[\"l\",null]]}}",
    b"{\"Keys\":{\"cursor\":null,\"limit\":9}}",
    b"{\"Get\":{\"key\":\"k\"",
    b"{\"key\":\"",
    b"\"}}",
    b"{\"Get\":{\"key\":\"k\",\"key\":[",
    b"-1.5e9",
    b"null,]",
    b"1e999",
    b"{\"Get\":",
    b"{\"Get\":[]}",
    b"{\"Get\":{\"key\":\"\\ud83dx\",}",
    b"{\"Set\":{\"key\":\"k\"}}",
    b"{\"Get\":{\"key\":{},}}",
    b"{\"Set\":[\"k\"",
    b"\\u00e4\\ud83d",
    b" \r",
    b"\xff\xc3",
    b"\n\n",
    &[b'x'; LIMIT - 1],
];

/// What a connection brings.
fn generate(random: &mut StdRng) -> Vec<u8> {
    let mut input = Vec::new();
    for _ in 0..random.random_range(0..12) {
        let piece = PIECES.choose(random).copied().unwrap_or_default();
        let from = if random.random_bool(0.3) { random.random_range(0..piece.len()) } else { 0 };
        input.extend(&piece[from..]);
        if random.random_bool(0.5) {
            input.push(b'\n');
        }
        if random.random_bool(0.2)
            && let Some(byte) = input.choose_mut(random)
        {
            *byte = random.random();
        }
    }
    input
}

/// The fault: what was found out about the bytes so far is forgotten when more of them arrive.
fn hold(random: &mut StdRng, forgets: bool, reached: &mut Reached) {
    let (size, bytes) = (random.random_range(1..=80), generate(random));
    let found = found_in_pieces(&bytes, size, forgets);
    let at_once = found_in_pieces(&bytes, usize::MAX, forgets);
    assert_eq!(found, at_once, "how they are cut must not matter");
    assert_eq!(found, expected(&bytes));
    for line in found {
        let Some(line) = line else {
            note(reached, "a line that is too long");
            continue;
        };
        match decode(&line) {
            Ok(request) => {
                let mut again = Vec::new();
                encode(&mut again, &request);
                assert_eq!(again.pop(), Some(b'\n'));
                assert!(!again.contains(&b'\n'), "a request is one line");
                assert_eq!(decode(&again).unwrap(), request);
                let variant = format!("{request:?}");
                note(reached, variant.split([' ', '(']).next().unwrap_or_default());
            }
            // Up to what differs from input to input.
            Err(error) => {
                let differs = |letter: char| "`\"".contains(letter) || letter.is_ascii_digit();
                note(reached, error.to_string().split(differs).next().unwrap_or_default());
            }
        }
    }
}

/// The lines; none for one that is too long. Bytes are kept no longer than they have to.
fn found_in_pieces(bytes: &[u8], size: usize, forgets: bool) -> Vec<Option<Vec<u8>>> {
    let mut lines = LineDecoder::new(LIMIT);
    let (mut found, mut kept) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(size) {
        if forgets {
            lines = LineDecoder::new(LIMIT);
        }
        kept.extend_from_slice(piece);
        let mut done = 0;
        while let Some(line) = lines.find(&kept[done..]) {
            found.push(match line {
                Line::Whole(line) => Some(line.to_vec()),
                Line::TooLong => None,
            });
            done += lines.take();
        }
        done += lines.discard_too_long();
        kept.drain(..done);
        assert!(kept.len() < LIMIT, "no more is kept than a line may have");
    }
    found
}

/// The same, said in another way.
fn expected(bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    lines.pop(); // what follows the last newline
    lines.into_iter().map(|line| (line.len() < LIMIT).then(|| line.to_vec())).collect()
}
