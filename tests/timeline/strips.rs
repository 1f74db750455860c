//! The trace of a stage: one strip for each request, one character for each tick.
//!
//! ```text
//! slow get |========#
//! get      | qqqqqqqq==#
//! ```

use crate::stages::Stage;
use std::fmt;

/// What a request does, and the character that a tick of it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Nobody has begun to serve it.
    Queued = b'q',
    /// It is being served, and the engine lets it wait: for a lock, or for the write before.
    Waiting = b'.',
    /// The engine encodes or decodes a record.
    Working = b'#',
    /// The engine waits for the disk.
    Disk = b'=',
    /// The engine copies records, and waits for the disk.
    Compacting = b'c',
    /// It has its answer, or was not asked yet.
    Done = b' ',
}

impl Phase {
    fn sign(self) -> char {
        char::from(self as u8)
    }
}

/// What one stage did.
#[derive(Clone)]
pub struct Trace {
    pub stage: Stage,
    pub strips: Vec<Strip>,
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.stage.title(), self.stage.server)?;
        self.strips.iter().try_for_each(|Strip { name, ticks }| writeln!(f, "{name:>9} |{ticks}"))
    }
}

/// Who did what when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strip {
    pub name: &'static str,
    /// A character a tick, from tick 0 on; see [`Phase`].
    pub ticks: String,
}

impl Strip {
    /// What began when, up to the tick `end`. What lasts no tick leaves no trace.
    pub fn new(name: &'static str, changes: &[(u32, Phase)], end: u32) -> Strip {
        let mut ticks = String::new();
        for (number, (from, phase)) in changes.iter().enumerate() {
            let from = *from as usize;
            let to = changes.get(number + 1).map_or(end, |(to, _)| *to) as usize;
            ticks.extend(std::iter::repeat_n(' ', from - ticks.len()));
            ticks.extend(std::iter::repeat_n(phase.sign(), to - from));
        }
        let ticks = ticks.trim_end_matches([' ', Phase::Waiting.sign()]);
        Strip { name, ticks: ticks.to_owned() }
    }

    /// Whether the engine is busy with it, past every lock; what follows in a compaction not counted.
    fn is_inside(&self, tick: usize) -> bool {
        let busy = [Phase::Working, Phase::Disk].map(|phase| phase as u8);
        self.ticks.as_bytes().get(tick).is_some_and(|sign| busy.contains(sign))
    }

    /// Whether a compaction is under way in it, which may itself have to wait.
    fn compacts(&self, tick: usize) -> bool {
        let sign = Phase::Compacting.sign();
        self.ticks.find(sign).is_some_and(|first| first <= tick)
            && self.ticks.rfind(sign).is_some_and(|last| tick <= last)
    }

    pub fn is_get(&self) -> bool {
        self.name.ends_with("get")
    }
}

/// What is counted in the strips of a stage: the largest number of gets that the engine was busy with at a
/// time; gets that ended while it was busy with a set; and gets, and sets, that ended while a compaction was
/// under way.
pub const COUNTED: [&str; 4] =
    ["gets at once", "gets beside a set", "gets beside compaction", "sets beside compaction"];

pub fn counts(strips: &[Strip]) -> [usize; 4] {
    // What ends when the other one begins, or ends at the same tick, was not beside it.
    let ends_beside = |one: &&Strip, is_busy: fn(&Strip, usize) -> bool| {
        let end = one.ticks.len();
        let mut others = strips.iter().filter(|other| other != one);
        others.any(|other| is_busy(other, end - 1) && is_busy(other, end))
    };
    let in_a_set = |other: &Strip, tick| other.name == "set" && other.is_inside(tick);
    let gets: Vec<&Strip> = strips.iter().filter(|strip| strip.is_get()).collect();
    let sets = strips.iter().filter(|strip| strip.name == "set");
    let at_once = |tick| gets.iter().filter(|get| get.is_inside(tick)).count();
    let last = gets.iter().map(|get| get.ticks.len()).max().unwrap_or(0);
    [
        (0..last).map(at_once).max().unwrap_or(0),
        gets.iter().filter(|get| ends_beside(get, in_a_set)).count(),
        gets.iter().filter(|get| ends_beside(get, Strip::compacts)).count(),
        sets.filter(|set| ends_beside(set, Strip::compacts)).count(),
    ]
}
