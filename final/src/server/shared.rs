//! What all connections of a server look at: its limits, its clock, whether it stops, and what is counted.

use super::limits::Limits;
use super::stats::Counters;
use super::timeouts::Clock;
use crate::limited_log::LimitedLog;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::io;
use std::time::Duration;

/// What clients can cause to be logged, as often as they like.
pub(super) struct Warnings {
    pub(super) refused: LimitedLog,
    pub(super) foreign: LimitedLog,
    pub(super) trouble: LimitedLog,
}

/// What every connection may look at. Only the server's own thread writes here, and seldom, so that each core
/// keeps a copy; the counters are the exception, of which each loop has its own.
pub(super) struct Shared {
    pub(super) limits: Limits,
    /// One for each event loop.
    pub(super) counters: Box<[Counters]>,
    pub(super) warnings: Warnings,
    /// Set once, never cleared. `Release` and `Acquire`: a connection that was woken because of it
    /// sees it.
    stopping: AtomicBool,
    /// How long the server has been there and not stopped by others, in milliseconds, as of the last
    /// sweep. Seeing it a sweep late does no harm: `Relaxed`.
    clock: AtomicU64,
}

impl Shared {
    pub(super) fn new(limits: Limits) -> Shared {
        Shared {
            counters: (0..limits.jobs.max(1)).map(|_| Counters::default()).collect(),
            warnings: Warnings {
                refused: LimitedLog::new("a connection is refused"),
                foreign: LimitedLog::new("a connection is closed that speaks another protocol"),
                trouble: LimitedLog::new("trouble with connections"),
            },
            stopping: AtomicBool::new(false),
            clock: AtomicU64::new(0),
            limits,
        }
    }

    /// What deadlines are compared with.
    pub(super) fn time(&self) -> Clock<'_> {
        Clock { now: self.clock.load(Ordering::Relaxed), limits: &self.limits }
    }

    pub(super) fn set_clock(&self, time: Duration) {
        self.clock.store(time.as_millis() as u64, Ordering::Relaxed);
    }

    pub(super) fn begin_stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Bytes in the buffers of all connections.
    pub(super) fn buffered(&self) -> usize {
        self.counters.iter().fold(0, |sum, counters| sum.wrapping_add(counters.buffered()))
    }

    /// Logs that the system could not tell which connections are ready.
    pub(super) fn warn_of_poller(&self, error: &io::Error) {
        self.warnings.trouble.warn(format_args!("cannot wait for them: {error}"));
    }

    /// Logs what was left out, if it is time.
    pub(super) fn flush_warnings(&self) {
        let Warnings { refused, foreign, trouble } = &self.warnings;
        [refused, foreign, trouble].into_iter().for_each(LimitedLog::flush);
    }
}
