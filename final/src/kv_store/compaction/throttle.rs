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
use crate::sync::{Condvar, Mutex, MutexGuard, fault};
use std::sync::PoisonError;
use std::time::Duration;

/// How long a writer waits for each byte half-way between the first wait and the limit: a rate that a compactor keeps
/// up with.
const NANOS_PER_BYTE: u64 = 10;

/// The longest wait before another look.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// What a batch of writers that do not wait counts for, and how long it may be at most while the compactor is behind,
/// in bytes. A longer write is a long one.
const ROUND: usize = 64 << 10;

#[derive(Default)]
pub(crate) struct Throttle {
    /// Whether there is a thread that compacts, and its last step was of use. Changed while `steps` is held, so that
    /// a writer that waits hears of it; read without, where an older value is a wait too many or too few: `Relaxed`.
    is_on: AtomicBool,
    /// Held to wait, and to end the waits. Protects nothing else.
    steps: Mutex<()>,
    stepped: Condvar,
    /// Bytes of the long writes that were let in and aren't done: all of them may become garbage at once.
    under_way: Mutex<usize>,
    /// Told when there are fewer.
    fewer: Condvar,
    /// Held by the long write that is the next to be let in, so that no shorter one passes it. Taken before `under_way`,
    /// and protects nothing else.
    turn: Mutex<()>,
}

/// A long write that was let in; it's done when this is dropped.
pub(crate) struct Admitted<'a> {
    throttle: &'a Throttle,
    len: usize,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        *self.throttle.under_way() -= self.len;
        self.throttle.fewer.notify_all();
    }
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

    fn under_way(&self) -> MutexGuard<'_, usize> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a long write in: alone, or beside others if they are `most` bytes together.
    fn let_in(&self, len: usize, most: usize) -> Admitted<'_> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |bytes: &mut usize| {
            *bytes > 0 && *bytes + len > most && !fault!("long writes are let in all at once")
        };
        let wait = self.fewer.wait_while(self.under_way(), is_full);
        *wait.unwrap_or_else(PoisonError::into_inner) += len;
        Admitted { throttle: self, len }
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
        drop(self.admit(ROUND));
        let (excess, most) = self.excess();
        // More would get behind the limit, with no wait in between.
        match self.holds_up() {
            true => ROUND.min(most.saturating_sub(excess) as usize),
            false => MAX_BATCH.min(most as usize),
        }
    }

    /// Waits until a write of `len` bytes may be done. The caller holds no lock, and what is returned until it's done.
    pub(crate) fn admit(&self, len: usize) -> Option<Admitted<'_>> {
        let most = self.log.options.segment_bytes as usize;
        // The others are short enough that as many as there are threads make no difference.
        let admitted = (len > ROUND).then(|| self.throttle.let_in(len, most));
        while self.holds_up() {
            let (excess, most) = self.excess();
            // At the limit as long as it takes.
            let left = most.saturating_sub(excess);
            let nanos = (len as u64 * NANOS_PER_BYTE).saturating_mul(excess) / left.max(1);
            let time = Duration::from_nanos(nanos).min(MAX_WAIT);
            self.throttle.wait(time);
            if left > 0 && time < MAX_WAIT {
                break;
            }
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::INJECTED;
    use kvs_test_kit::until;
    use std::iter;
    use std::thread;

    #[test]
    fn a_write_that_has_to_be_alone_is_passed_by_none_that_would_have_room() {
        let throttle = Throttle::default();
        let first = throttle.let_in(60, 100);
        thread::scope(|scope| {
            let alone = scope.spawn(|| *throttle.let_in(200, 100).throttle.under_way());
            until("it waits, and others for it", || throttle.turn.try_lock().is_err());
            let other = scope.spawn(|| drop(throttle.let_in(30, 100)));
            drop(first);
            assert_eq!(alone.join().unwrap(), 200);
            other.join().unwrap();
        });
    }

    #[test]
    fn long_writes_under_way_are_bounded_and_one_longer_than_that_is_alone() {
        let throttle = Throttle::default();
        let lens = || [40, 60, 30, 200].into_iter().cycle().take(400);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for len in lens() {
                        let _admitted = throttle.let_in(len, 100);
                        let under_way = *throttle.under_way();
                        assert!(under_way <= 100 || under_way == len, "{under_way} with {len}");
                        thread::yield_now();
                    }
                });
            }
        });
        assert_eq!(*throttle.under_way(), 0);
        INJECTED.set("long writes are let in all at once");
        let _two: Vec<_> = iter::repeat_with(|| throttle.let_in(60, 100)).take(2).collect();
        assert!(*throttle.under_way() > 100, "not noticed");
        INJECTED.set("");
    }
}
