//! What is asked of every stage, and how long the disk takes for it.
//!
//! Time counts in ticks. A tick is no length of time: nothing but the disk and the engine's own work
//! takes any, and how much, is written here. So two runs of the same code give the same trace.

/// Threads in the pools that have a number of threads.
pub const WORKERS: u32 = 3;

/// What takes how many ticks.
pub struct Ticks {
    /// To encode or decode a record.
    pub work: u32,
    /// To read a record.
    pub read: u32,
    /// To read one that is far away.
    pub slow_read: u32,
    /// To write one.
    pub write: u32,
    /// A step of a compaction: a record read, or a piece of a segment read or written.
    pub copy: u32,
}

pub const TICKS: Ticks = Ticks { work: 1, read: 2, slow_read: 8, write: 5, copy: 2 };

/// A client's request.
#[derive(Clone, Copy)]
pub struct Request {
    /// The tick at which the client asks.
    pub at: u32,
    pub name: &'static str,
    pub action: Action,
    /// What the disk takes for it.
    pub disk: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Get,
    /// Gives this key a new value.
    Set(&'static str),
}

/// The key that is asked for, and never changes.
pub const READ_KEY: &str = "read";
/// The key whose first value is so long that a compaction is due once it has another.
pub const LONG_KEY: &str = "long";

/// How long that value is in a stage, in bytes: as many as a compaction waits for.
pub const STAGES_COMPACT_AT: usize = 1 << 20;
/// The same for `final`, which can be told. A compaction of more than 1 MiB would pause now and then
/// for a time, and a pause cannot be told from a wait.
pub const FINAL_COMPACT_AT: usize = 1 << 16;

/// A value that an engine does not keep in memory.
pub fn value() -> String {
    "v".repeat(64)
}

const fn get(at: u32) -> Request {
    Request { at, name: "get", action: Action::Get, disk: TICKS.read }
}

const fn set(at: u32, key: &'static str) -> Request {
    Request { at, name: "set", action: Action::Set(key), disk: TICKS.write }
}

/// In the order in which they are asked, so that a pool's queue has one order too.
pub const REQUESTS: [Request; 11] = [
    Request { name: "slow get", disk: TICKS.slow_read, ..get(0) },
    get(1),
    set(2, "a"),
    // Comes while a write is under way, where that can be.
    get(4),
    // What it replaces makes a compaction due.
    set(7, LONG_KEY),
    get(9),
    // Come during the compaction, where a pool of threads has got that far.
    get(15),
    set(16, "b"),
    set(17, "c"),
    set(18, "d"),
    get(19),
];
