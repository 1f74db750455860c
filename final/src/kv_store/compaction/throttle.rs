//! Back-pressure: a writer waits where the compactor falls behind, so that the disk doesn't fill.
//!
//! ```text
//!  garbage:   0 ........ live data ..... half of the spare ..... all of it
//!             nothing      steps            writers wait,          until the
//!             to do        pay              longer and longer      next step
//! ```

use super::Compactor;
use crate::kv_store::commit::group_commit::MAX_BATCH;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Condvar, Mutex, fault};
use std::sync::PoisonError;
use std::time::Duration;

/// How long a writer waits for each byte half-way between the first wait and the limit: a rate that a compactor keeps
/// up with.
const NANOS_PER_BYTE: u64 = 10;

/// The longest wait before another look.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// What a batch of writers that do not wait counts for, and how long it may be at most while the compactor is behind,
/// in bytes.
const ROUND: usize = 64 << 10;

#[derive(Default)]
pub(crate) struct Throttle {
    /// Whether there is a thread that compacts, and its last step was of use. Changed while `steps` is held, so that
    /// a writer that waits hears of it; read without, where an older value is a wait too many or too few: `Relaxed`.
    is_on: AtomicBool,
    /// Held to wait, and to end the waits. Protects nothing else.
    steps: Mutex<()>,
    stepped: Condvar,
}

impl Throttle {
    /// Takes note of a step, or of the end of them.
    pub(crate) fn note(&self, is_on: bool) {
        let _steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        fault!("the end of the steps is told beside the lock", drop(_steps));
        self.is_on.store(is_on, Ordering::Relaxed);
        self.stepped.notify_all();
    }

    /// On until this is dropped, as far as steps are of use.
    pub(crate) fn turn_on(&self) -> impl Drop + '_ {
        struct Off<'a>(&'a Throttle);
        impl Drop for Off<'_> {
            fn drop(&mut self) {
                self.0.note(false);
            }
        }
        self.note(true);
        Off(self)
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    fn wait(&self, time: Duration) {
        let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_on() {
            // However it ends, the writer looks again.
            drop(self.stepped.wait_timeout(steps, time));
        }
    }
}

impl Compactor {
    /// How far the garbage is beyond half of the spare, and how far it may be, in bytes.
    fn excess(&self) -> (u64, u64) {
        let options = &self.log.options;
        let half = u64::from(options.segment_bytes) * u64::from(options.spare_garbage) / 2;
        let (garbage, bytes) = self.sums();
        let live = bytes.saturating_sub(garbage);
        (garbage.saturating_sub(live + half), half)
    }

    /// Whether it needs all the time it can get.
    pub(crate) fn is_behind(&self) -> bool {
        self.excess().0 > 0
    }

    /// Whether a write would wait. Where a compaction begins later than that, there is none to wait for.
    pub(crate) fn holds_up(&self) -> bool {
        self.throttle.is_on()
            && self.is_behind()
            && self.needs_space()
            && !fault!("writers are not slowed down")
    }

    /// Waits until a batch may be done; returns how long it may be, in bytes.
    pub(crate) fn admit_batch(&self) -> usize {
        self.admit(ROUND);
        let (excess, most) = self.excess();
        // More would get behind the limit, with no wait in between.
        match self.holds_up() {
            true => ROUND.min(most.saturating_sub(excess) as usize),
            false => MAX_BATCH.min(most as usize),
        }
    }

    /// Waits until a write of `len` bytes may be done. The caller holds no lock.
    pub(crate) fn admit(&self, len: usize) {
        while self.holds_up() {
            let (excess, most) = self.excess();
            // At the limit as long as it takes.
            let left = most.saturating_sub(excess);
            let nanos = (len as u64 * NANOS_PER_BYTE).saturating_mul(excess) / left.max(1);
            let time = Duration::from_nanos(nanos).min(MAX_WAIT);
            self.throttle.wait(time);
            if left > 0 && time < MAX_WAIT {
                return;
            }
        }
    }
}
