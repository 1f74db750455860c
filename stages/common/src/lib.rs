//! What no stage of the tutorial is about, and what is therefore here once: the error type, the wire
//! protocol, the client, the format of the log, the data directory, the command line, signals and
//! warnings.

pub mod cli;
mod client;
mod data_dir;
mod error;
pub mod options;
pub mod protocol;
pub mod record_log;
pub mod signals;
pub mod sync_points;

pub use client::KvsClient;
pub use data_dir::{DataDir, EngineKind};
pub use error::{KvsError, Result};

use std::cell::Cell;
use std::fmt::Display;
use std::time::{Duration, Instant};

/// What a store says about itself. Each number is right by itself; taken while writers are at work,
/// two of them need not belong to the same moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Keys that have a value.
    pub keys: u64,
    /// Bytes of the log that the next compaction will drop.
    pub garbage_bytes: u64,
    /// Compactions since the store was opened.
    pub compactions: u64,
}

const WARN_INTERVAL: Duration = Duration::from_secs(5);

/// Logs a warning, but none within five seconds of this thread's last one: a thread without
/// descriptors tries again many times a second, and would fill the disk with its log.
pub fn warn_seldom(words: impl Display) {
    thread_local!(static LAST: Cell<Option<Instant>> = const { Cell::new(None) });
    if LAST.get().is_none_or(|last| last.elapsed() >= WARN_INTERVAL) {
        LAST.set(Some(Instant::now()));
        log::warn!("{words}");
    }
}
