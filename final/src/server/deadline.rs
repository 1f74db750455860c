//! Until when a client has to do something, in the time that the server itself was there for.
//!
//! The clock is advanced by the sweeps, each time by little: while the process is stopped, or the
//! machine has no time for it, no client is late.

use super::close::Timer;
use super::connection::{Connection, Inner};
use crate::sync::atomic::Ordering;
use std::time::Duration;

/// How long a client may take to close its side after the server has closed its own.
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// After so many bytes of a request or of answers the time for them begins anew.
const PROGRESS: usize = 16 << 10;
/// No deadline.
pub(super) const NEVER: u64 = u64::MAX;

impl Connection {
    /// Whether the time for what it has to do is over.
    pub(super) fn is_due(&self, inner: &Inner) -> bool {
        inner.deadline <= self.shared.clock()
    }

    /// Whether a sweep has to wake it.
    pub(super) fn wants_look(&self, clock: u64) -> bool {
        self.look_at.load(Ordering::Relaxed) <= clock
    }

    /// Begins the time for something, or ends it. One that runs for the same goes on, unless `anew`.
    pub(super) fn arm(&self, inner: &mut Inner, timer: Timer, anew: bool) {
        if timer == inner.timer && !anew {
            return;
        }
        let limits = &self.shared.limits;
        let time = match timer {
            Timer::None => None,
            Timer::Request => Some(limits.request_time),
            Timer::Answer => Some(limits.answer_time),
            Timer::Idle => limits.idle_time,
            Timer::Drain => Some(DRAIN_TIME),
        };
        (inner.timer, inner.progress) = (timer, 0);
        inner.deadline = time.map_or(NEVER, |time| self.after(time));
        self.look_at.store(inner.deadline, Ordering::Relaxed);
        if timer == Timer::Answer {
            self.look_soon();
        }
    }

    /// Has the next sweep wake it.
    pub(super) fn look_soon(&self) {
        self.look_at.store(self.after(Duration::ZERO), Ordering::Relaxed);
    }

    /// So many bytes of a request have come, or of answers have gone.
    pub(super) fn progress(&self, inner: &mut Inner, bytes: usize) {
        inner.progress += bytes;
        if inner.progress >= PROGRESS {
            self.arm(inner, inner.timer, true);
        }
    }

    /// When so much time has passed, of which some may have passed since the last sweep.
    fn after(&self, time: Duration) -> u64 {
        let time = time.saturating_add(self.shared.limits.sweep_interval());
        self.shared.clock().saturating_add(u64::try_from(time.as_millis()).unwrap_or(NEVER))
    }
}
