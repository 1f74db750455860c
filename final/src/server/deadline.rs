//! Until when a client has to do something.

use super::close::Timer;
use super::connection::{Connection, Inner};
use crate::sync::atomic::Ordering;
use std::time::Duration;

/// How long a client may take to close its side after the server has closed its own.
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// No deadline.
pub(super) const NEVER: u64 = u64::MAX;

impl Connection {
    /// Whether the time for what it has to do is over.
    pub(super) fn is_expired(&self, now: u64) -> bool {
        self.deadline.load(Ordering::Relaxed) <= now
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
        inner.timer = timer;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(NEVER);
        let deadline = time.map(|time| self.shared.now().saturating_add(millis(time)));
        self.deadline.store(deadline.unwrap_or(NEVER), Ordering::Relaxed);
    }
}
