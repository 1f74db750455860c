//! Until when a client has to do something, in the time that the server itself was there for.
//!
//! The clock is advanced by the sweeps, each time by little: while the process is stopped, or the
//! machine has no time for it, no client is late.

use super::limits::Limits;
use std::time::Duration;

/// How long a client may take to close its side after the server has closed its own.
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// After so many bytes of a request or of answers the time for them begins anew.
const PROGRESS: usize = 16 << 10;
/// No deadline.
pub(super) const NEVER: u64 = u64::MAX;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    None,
    Request,
    Answer,
    Idle,
    Drain,
}

/// The time of the last sweep, in milliseconds, and how long clients may take.
#[derive(Clone, Copy)]
pub(super) struct Clock<'a> {
    pub(super) now: u64,
    pub(super) limits: &'a Limits,
}

impl Clock<'_> {
    /// When so much time has passed, of which some may have passed since the last sweep.
    pub(super) fn after(&self, time: Duration) -> u64 {
        let time = time.saturating_add(self.limits.sweep_interval());
        self.now.saturating_add(u64::try_from(time.as_millis()).unwrap_or(NEVER))
    }
}

/// Until when the client has to do what the timer is for.
#[derive(Debug)]
pub(super) struct Deadline {
    timer: Timer,
    at: u64,
    /// How much of it has been done since it was given so long, in bytes.
    progress: u32,
}

impl Deadline {
    pub(super) fn new() -> Deadline {
        Deadline { timer: Timer::None, at: NEVER, progress: 0 }
    }

    pub(super) fn is_for(&self, timer: Timer) -> bool {
        self.timer == timer
    }

    pub(super) fn is_due(&self, clock: Clock<'_>) -> bool {
        self.at <= clock.now
    }

    /// When a sweep has to have a look.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Begins the time for something, or ends it. One that runs for the same goes on, unless `anew`.
    pub(super) fn arm(&mut self, timer: Timer, anew: bool, clock: Clock<'_>) {
        if timer == self.timer && !anew {
            return;
        }
        let limits = clock.limits;
        let time = match timer {
            Timer::None => None,
            Timer::Request => Some(limits.request_time),
            Timer::Answer => Some(limits.answer_time),
            Timer::Idle => limits.idle_time,
            Timer::Drain => Some(DRAIN_TIME),
        };
        let at = time.map_or(NEVER, |time| clock.after(time));
        *self = Deadline { timer, at, progress: 0 };
    }

    /// So many bytes of a request have come, or of answers have gone.
    pub(super) fn progress(&mut self, bytes: usize, clock: Clock<'_>) {
        match self.progress as usize + bytes {
            progress if progress < PROGRESS => self.progress = progress as u32,
            _ => self.arm(self.timer, true, clock),
        }
    }
}
