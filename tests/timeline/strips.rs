//! The trace of a stage: one strip for each request, one character for each tick.
//!
//! ```text
//! slow get |========#
//! get      | qqqqqqqq==#
//! ```

use serde::{Deserialize, Serialize};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nobody has begun to serve it.
    Queued,
    /// It is being served, and the engine lets it wait: for a lock, or for the write before.
    Waiting,
    /// The engine encodes or decodes a record.
    Working,
    /// The engine waits for the disk.
    Disk,
    /// The engine copies records, and waits for the disk.
    Compacting,
    /// It has its answer, or was not asked yet.
    Done,
}

/// The character that a tick of each is.
const SIGNS: [(Phase, char); 6] = [
    (Phase::Queued, 'q'),
    (Phase::Waiting, '.'),
    (Phase::Working, '#'),
    (Phase::Disk, '='),
    (Phase::Compacting, 'c'),
    (Phase::Done, ' '),
];

impl Phase {
    pub fn sign(self) -> char {
        SIGNS.iter().find(|(phase, _)| *phase == self).unwrap().1
    }

    pub fn of(sign: char) -> Phase {
        SIGNS.iter().find(|(_, other)| *other == sign).unwrap().0
    }
}

/// Who did what when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strip {
    pub name: String,
    /// A character a tick, from tick 0 on; see [`SIGNS`].
    pub ticks: String,
}

impl Strip {
    /// What began when, up to the tick `end`. What lasts no tick leaves no trace.
    pub fn new(name: &str, changes: &[(u32, Phase)], end: u32) -> Strip {
        let mut ticks = String::new();
        for (number, (from, phase)) in changes.iter().enumerate() {
            let from = *from as usize;
            let to = changes.get(number + 1).map_or(end, |(to, _)| *to) as usize;
            ticks.extend(std::iter::repeat_n(' ', from - ticks.len()));
            ticks.extend(std::iter::repeat_n(phase.sign(), to - from));
        }
        let ticks = ticks.trim_end_matches([' ', Phase::Waiting.sign()]);
        Strip { name: name.to_owned(), ticks: ticks.to_owned() }
    }

    fn at(&self, tick: usize) -> Phase {
        self.ticks.as_bytes().get(tick).map_or(Phase::Done, |sign| Phase::of(char::from(*sign)))
    }

    /// Whether the engine is busy with it, past every lock; what follows in a compaction not counted.
    fn is_inside(&self, tick: usize) -> bool {
        matches!(self.at(tick), Phase::Working | Phase::Disk)
    }

    /// Whether a compaction is under way in it, which may itself have to wait.
    fn compacts(&self, tick: usize) -> bool {
        let sign = Phase::Compacting.sign();
        self.ticks.find(sign).is_some_and(|first| first <= tick)
            && self.ticks.rfind(sign).is_some_and(|last| tick <= last)
    }

    /// The tick at which the answer is there.
    fn end(&self) -> usize {
        self.ticks.len()
    }

    /// How long the client waited for it.
    fn length(&self) -> usize {
        self.ticks.trim_start().len()
    }

    pub fn is_get(&self) -> bool {
        self.name.ends_with("get")
    }

    pub fn is_set(&self) -> bool {
        self.name == "set"
    }
}

/// What the strips of a stage show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The largest number of gets that the engine was busy with at a time.
    pub gets_at_once: usize,
    /// Gets that ended while the engine was busy with a set.
    pub gets_beside_a_set: usize,
    /// Gets that ended while a compaction was under way.
    pub gets_beside_compaction: usize,
    /// Sets that ended while a compaction was under way.
    pub sets_beside_compaction: usize,
    /// The longest time between question and answer of a get that was not slow, in ticks.
    pub longest_get: usize,
    /// The tick at which the last answer was there.
    pub last_answer: usize,
}

impl Counts {
    pub fn of(strips: &[Strip]) -> Counts {
        // What ends when the other one begins, or ends at the same tick, was not beside it.
        let beside = |one: &Strip, busy: fn(&Strip, usize) -> bool| {
            let before_and_after = [one.end() - 1, one.end()];
            let others = strips.iter().filter(|other| *other != one);
            others.filter(|other| before_and_after.iter().all(|tick| busy(other, *tick))).count()
                > 0
        };
        let gets = || strips.iter().filter(|strip| strip.is_get());
        let sets = || strips.iter().filter(|strip| strip.is_set());
        let last_answer = gets().chain(sets()).map(Strip::end).max().unwrap_or(0);
        let at_once = |tick| gets().filter(|get| get.is_inside(tick)).count();
        let in_a_set = |other: &Strip, tick| other.is_set() && other.is_inside(tick);
        Counts {
            gets_at_once: (0..last_answer).map(at_once).max().unwrap_or(0),
            gets_beside_a_set: gets().filter(|get| beside(get, in_a_set)).count(),
            gets_beside_compaction: gets().filter(|get| beside(get, Strip::compacts)).count(),
            sets_beside_compaction: sets().filter(|set| beside(set, Strip::compacts)).count(),
            longest_get: gets().filter(|g| g.name == "get").map(Strip::length).max().unwrap_or(0),
            last_answer,
        }
    }
}
