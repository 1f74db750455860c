use crate::disk::{Disk, RealDisk};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// What an acknowledged write survives.
///
/// At every level a write that was acknowledged survives the end of the process, `kill -9`
/// included. The levels differ in what a power loss, or a crash of the operating system, may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: a write is acknowledged, and seen by readers, after it was synced. Writers that
    /// wait at the same time share one sync.
    Always,
    /// The writes of the last so long: the log is synced that often. The default, with 100 ms; the
    /// least is 1 ms.
    Interval(Duration),
    /// Whatever the operating system had not written by itself, usually some 30 seconds.
    Os,
}

impl Durability {
    /// What the level promises, for a log.
    pub(crate) fn promise(self) -> &'static str {
        match self {
            Durability::Always => "acknowledged writes survive power losses",
            Durability::Interval(_) => {
                "acknowledged writes survive the end of the process; a power loss takes the last ones"
            }
            Durability::Os => {
                "acknowledged writes survive the end of the process; nothing is synced on purpose"
            }
        }
    }
}

impl Default for Durability {
    fn default() -> Self {
        Durability::Interval(Duration::from_millis(100))
    }
}

/// As on the command line, which `cli/args` reads.
impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Durability::Always => f.write_str("always"),
            Durability::Interval(time) => write!(f, "interval={}", time.as_millis()),
            Durability::Os => f.write_str("os"),
        }
    }
}

impl FromStr for Durability {
    type Err = String;

    /// `always`, `interval`, `interval=MILLISECONDS` or `os`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "always" => Ok(Durability::Always),
            None if text == "interval" => Ok(Durability::default()),
            None if text == "os" => Ok(Durability::Os),
            Some(("interval", time)) => match time.parse() {
                Ok(time @ 1..) => Ok(Durability::Interval(Duration::from_millis(time))),
                _ => Err(format!("`{time}` is no number of milliseconds from 1 on")),
            },
            _ => Err(format!(
                "`{text}` is no level; there are `always`, `interval`, `interval=MILLISECONDS`, `os`"
            )),
        }
    }
}

/// How a store is to be opened.
///
/// ```
/// # fn main() -> kvs_final::Result<()> {
/// # let dir = tempfile::tempdir()?;
/// use kvs_final::{Durability, KvStoreOptions, KvsEngine};
/// let store = KvStoreOptions::new().durability(Durability::Always).open(dir.path())?;
/// store.set("key".to_owned(), "value".to_owned())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct KvStoreOptions {
    pub(super) durability: Durability,
    pub(super) segment_bytes: u32,
    pub(super) compact_at: u64,
    pub(super) spare_segments: u64,
    pub(super) hint_eighths: u32,
    pub(super) spare_garbage: u32,
    pub(super) background: bool,
    pub(super) map_sealed: bool,
    pub(super) disk: Arc<dyn Disk>,
}

impl Default for KvStoreOptions {
    fn default() -> Self {
        KvStoreOptions::new()
    }
}

impl KvStoreOptions {
    /// The defaults.
    pub fn new() -> KvStoreOptions {
        KvStoreOptions {
            durability: Durability::default(),
            segment_bytes: 64 << 20,
            compact_at: 4 << 20,
            spare_segments: 16,
            hint_eighths: 1,
            spare_garbage: 4,
            background: true,
            map_sealed: false,
            disk: Arc::new(RealDisk),
        }
    }

    /// What an acknowledged write survives.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = match durability {
            Durability::Interval(time) => Durability::Interval(time.max(Duration::from_millis(1))),
            level => level,
        };
        self
    }

    /// How long a segment may become, in bytes, before the next one is begun. A single batch of
    /// writes that is longer makes a longer one. 64 MiB by default, 1 GiB at most.
    pub fn segment_bytes(mut self, bytes: u32) -> Self {
        self.segment_bytes = bytes.min(1 << 30);
        self
    }

    /// Compaction waits for this many bytes of garbage, and for half of the log to be garbage. 4 MiB by
    /// default.
    pub fn compact_at(mut self, garbage_bytes: u64) -> Self {
        self.compact_at = garbage_bytes;
        self
    }

    /// Compaction also starts when there are so many complete segments, each an open file, more than
    /// live bytes explain: they explain two for each [`KvStoreOptions::segment_bytes`] of them. So
    /// many small segments are merged, and as many full ones as may be are left alone. 16 by
    /// default, 1 at least.
    pub fn spare_segments(mut self, segments: u32) -> Self {
        self.spare_segments = segments.max(1).into();
        self
    }

    /// How long a hint may be, in eighths of its segment: one by default; with none no hint is written. Tests have hints of tiny segments.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn hint_eighths(mut self, eighths: u32) -> Self {
        self.hint_eighths = eighths;
        self
    }

    /// How much garbage there may be beside as much as there is live data, in segments
    /// ([`KvStoreOptions::segment_bytes`]). From half of it on writes wait for the
    /// compactor: the longer, the nearer the garbage is to the limit, and there until a segment was
    /// reclaimed; the caller of [`KvsEngine::round`](crate::KvsEngine::round) doesn't, but is told later. (Writes that
    /// are let through at the same time add their values to that: of those longer than 64 KiB a segment, or one that is
    /// longer.) They wait for no compactor that has failed, or that the store was opened without. Where
    /// [`KvStoreOptions::compact_at`] is more than that, it counts. 4 by default, 1 at least.
    pub fn spare_garbage(mut self, segments: u32) -> Self {
        self.spare_garbage = segments.max(1);
        self
    }

    /// Whether threads of the store's own compact and sync it. Without them, `compact_if_due` and
    /// `sync` are left to the caller; for tests that want one order of events.
    pub fn background(mut self, background: bool) -> Self {
        self.background = background;
        self
    }

    /// Whether segments that are complete are read through memory maps, some 4,000 of them at most. It
    /// spares a read of a value of up to 64 KiB a system call. The first store that is opened with it takes over the signal
    /// SIGBUS for its process: where the device of a map fails, the read returns an error as it does without. A
    /// program that installs a handler of its own later has that fault end the process. Off by default;
    /// `kvs server` has it on.
    pub fn map_sealed(mut self, map_sealed: bool) -> Self {
        self.map_sealed = map_sealed;
        self
    }

    /// The disk, by default the operating system's.
    pub fn disk(mut self, disk: impl Disk) -> Self {
        self.disk = Arc::new(disk);
        self
    }
}
