//! A warning whose cause may last.

use std::cell::Cell;
use std::fmt::Display;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(5);

/// Logs a warning, but none within five seconds of this thread's last one: a thread without
/// descriptors tries again many times a second, and would fill the disk with its log.
pub fn warn_seldom(words: impl Display) {
    thread_local!(static LAST: Cell<Option<Instant>> = const { Cell::new(None) });
    if LAST.get().is_none_or(|last| last.elapsed() >= INTERVAL) {
        LAST.set(Some(Instant::now()));
        log::warn!("{words}");
    }
}
