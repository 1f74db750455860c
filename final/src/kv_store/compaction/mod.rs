//! Compaction: the space of garbage is given back, step by step (`step.rs`), while that pays.

pub(crate) mod plan;
mod step;
mod throttle;

use crate::kv_store::commit::Committer;
use crate::kv_store::format::{Hint, Location, Note, Scan, Segment, hint};
use crate::kv_store::index::Index;
use crate::kv_store::log::Log;
use crate::kv_store::log::catalog::Sealed;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Instant, Mutex};
use crate::{KvsError, Result};
use plan::Goal;
use std::sync::{Arc, TryLockError};
use step::CHUNK;
use throttle::Throttle;

pub(crate) struct Compactor {
    pub(crate) log: Arc<Log>,
    pub(crate) index: Arc<Index>,
    pub(crate) committer: Arc<Committer>,
    /// One step at a time; holds the error of the last one, if it failed. Poisoned if it
    /// panicked, perhaps with half of its entries moved, and then there is no other.
    pub(crate) running: Mutex<Option<String>>,
    /// Steps that were completed. Written under `running`; `Release` and `Acquire`, so that
    /// who sees it sees the directory without the old segments.
    count: AtomicU64,
    /// Set once, when the store is closed, or when no further step may run. Read at the
    /// start of a step under `running`, and in its course only to end it sooner: `Relaxed`.
    cancelled: AtomicBool,
    /// Bytes of garbage that no step reclaims (`plan.rs`), as the last one found. An older value is a step too many
    /// or too late: `Relaxed`.
    stuck: AtomicU64,
    pub(crate) throttle: Throttle,
}

impl Compactor {
    pub(crate) fn new(log: Arc<Log>, index: Arc<Index>, committer: Arc<Committer>) -> Compactor {
        Compactor {
            log,
            index,
            committer,
            running: Mutex::default(),
            count: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            stuck: AtomicU64::new(0),
            throttle: Throttle::default(),
        }
    }

    /// Whether a step would pay.
    pub(crate) fn is_due(&self) -> bool {
        self.goal().is_some()
    }

    /// Whether a step would pay for less garbage. Writers wait for no other.
    fn needs_space(&self) -> bool {
        matches!(self.goal(), Some(Goal::Space))
    }

    /// Bytes of garbage, and of all segments, but for what is stuck.
    fn sums(&self) -> (u64, u64) {
        let stuck = self.stuck.load(Ordering::Relaxed);
        let sums = [self.index.garbage(), self.log.catalog.bytes()];
        sums.map(|sum| sum.saturating_sub(stuck)).into()
    }

    /// What a step would pay for: half of the bytes are garbage, or there are more segments than their live
    /// bytes explain.
    ///
    /// If no two segments are small (see `plan.rs`), any two are together longer than a segment may
    /// become, and there are at most two segments for each such length of live bytes, and one.
    fn goal(&self) -> Option<Goal> {
        let Log { options, catalog, .. } = &*self.log;
        let (garbage, bytes) = self.sums();
        let kept = catalog.bytes().saturating_sub(garbage);
        let explained = 2 * kept / u64::from(options.segment_bytes.max(1));
        let is_half = garbage >= options.compact_at && garbage >= bytes / 2;
        let too_many = catalog.sealed() > explained + options.spare_segments;
        if is_half { Some(Goal::Space) } else { too_many.then_some(Goal::Merge) }
    }

    /// Whether there is something to do.
    pub(crate) fn has_work(&self) -> bool {
        self.is_due() || self.log.catalog.lacks_hints.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.throttle.note(false);
    }

    pub(crate) fn last_error(&self) -> Option<String> {
        match self.running.try_lock() {
            Ok(last) => last.clone(),
            // While a compaction runs: people who ask for the stats do not wait for it.
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Poisoned(_)) => Some("the compactor panicked".to_owned()),
        }
    }

    /// Whether less space would pay only with the segment that is written to. If not, that one is left alone:
    /// to seal it begins a new one, and a store that is closed again and again before its compaction
    /// is done would have one more each time.
    fn needs_tail(&self) -> bool {
        let Log { options, catalog, .. } = &*self.log;
        let sealed: u64 = catalog.lock().sealed.iter().map(|(s, _)| s.garbage()).sum();
        let garbage = sealed.saturating_sub(self.stuck.load(Ordering::Relaxed));
        garbage < options.compact_at || garbage < self.sums().1 / 2
    }

    /// Does steps for as long as they pay, and writes hints when none does. Returns whether there were any.
    pub(crate) fn run_if_due(&self) -> Result<bool> {
        let mut ran = false;
        loop {
            while let Some(goal) = self.goal() {
                if matches!(goal, Goal::Space) && self.needs_tail() {
                    self.check_cancelled()?;
                    self.log.seal(false)?;
                }
                if !self.run(&goal)? {
                    break;
                }
                ran = true;
            }
            if self.write_hints() {
                return Ok(ran);
            }
        }
    }

    /// Writes the hints of sealed segments that have none. A failure costs the next open time and nothing else, so it
    /// isn't tried again. Returns whether it's done: a step comes first that writers may wait for. (They do while
    /// the throttle is on, and it's off if the last step was of no use. So the two don't wait for each other.)
    pub(crate) fn write_hints(&self) -> bool {
        let Log { catalog, options, .. } = &*self.log;
        if !catalog.lacks_hints.swap(false, Ordering::Relaxed) || options.hint_eighths == 0 {
            return true;
        }
        // While it has the lock, no segment is deleted.
        while let Ok(_running) = self.running.lock() {
            if self.throttle.is_on() && self.needs_space() {
                catalog.lacks_hints.store(true, Ordering::Relaxed);
                return false;
            }
            let is_next = |(segment, _): &&Sealed| !segment.is_hinted.load(Ordering::Relaxed);
            let Some((segment, end)) = catalog.lock().sealed.iter().find(is_next).cloned() else {
                break;
            };
            match self.write_hint(&segment, end) {
                Ok(is_done) => segment.is_hinted.store(is_done, Ordering::Relaxed),
                Err(KvsError::NoCompaction) => break,
                Err(error) => {
                    segment.is_hinted.store(true, Ordering::Relaxed);
                    ::log::warn!("{}: it has no hint: {error}", segment.path.display());
                }
            }
        }
        true
    }

    /// Returns whether nothing is left to do for it: writers that wait for a step don't wait for all of a hint.
    fn write_hint(&self, segment: &Segment, end: u32) -> Result<bool> {
        let Log { catalog, options, .. } = &*self.log;
        let (mut hint, mut scan) = (Hint::default(), Scan::new(segment, end));
        let (mut read, mut since) = (0, Instant::now());
        while hint::pays(hint.size(), end, options.hint_eighths) {
            let Some((record, Location { offset, .. }, len)) = scan.next_whole()? else {
                catalog.stopped.check()?;
                hint::write(&*catalog.dir, segment.number, &hint.encode(segment, end)?)?;
                break;
            };
            hint.push(Note::of(&record, offset, len));
            read += len as usize;
            if read >= CHUNK {
                self.check_cancelled()?;
                if self.holds_up() {
                    return Ok(false);
                }
                self.pause(since.elapsed());
                (read, since) = (0, Instant::now());
            }
        }
        Ok(true)
    }

    /// Compacts all segments that have garbage or are small, whether it pays or not; what becomes garbage
    /// meanwhile is left.
    pub(crate) fn run_all(&self) -> Result<()> {
        self.check_cancelled()?;
        self.log.seal(false)?;
        let all = self.log.catalog.lock().sealed.iter().map(|(s, _)| s.number).collect();
        let goal = Goal::All(all);
        while self.run(&goal)? {}
        self.run_if_due()?;
        self.unreadable().map_or(Ok(()), Err)
    }

    /// Why a segment can't be read, if there is one.
    fn unreadable(&self) -> Option<KvsError> {
        let segments = self.log.catalog.lock();
        segments.sealed.iter().find_map(|(segment, _)| segment.unreadable.get().cloned())
    }

    /// Does a step. If it fails, the store is as it was.
    fn run(&self, goal: &Goal) -> Result<bool> {
        let Ok(mut last_error) = self.running.lock() else {
            return Err(KvsError::NoCompaction);
        };
        self.check_cancelled()?;
        let since = Instant::now();
        let result = self.do_step(goal);
        let error = result.as_ref().err().cloned().or_else(|| self.unreadable());
        *last_error = error.map(|error| error.to_string());
        let is_of_use = matches!(result, Ok(true));
        // A step that fails, or finds nothing to do where it should, is nothing to wait for.
        let should = matches!(goal, Goal::Space) && self.needs_space();
        if should || !matches!(result, Ok(false)) {
            self.throttle.note(is_of_use && self.log.options.background && !self.is_cancelled());
        }
        if is_of_use {
            self.count.fetch_add(1, Ordering::Release);
            drop(last_error);
            self.pause(since.elapsed());
        }
        result
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn check_cancelled(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(KvsError::NoCompaction);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::disk::SimulatedDisk;
    use crate::{KvStoreOptions, KvsEngine, KvsError};
    use std::thread;
    use std::time::{Duration, Instant};

    #[test]
    fn a_pause_after_a_read_that_hung_is_short() {
        let start = Instant::now();
        super::step::pause(Duration::from_secs(30));
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn after_a_panic_there_are_no_compactions_and_the_store_says_why() {
        let disk = SimulatedDisk::new();
        let store = KvStoreOptions::new().background(false).disk(disk).open("/store").unwrap();
        store.set("key".into(), "value".into()).unwrap();
        store.compact().unwrap();
        assert_eq!(store.stats().last_error, None);
        let same = store.clone();
        let panics = thread::spawn(move || {
            let _running = same.0.compactor.running.lock().unwrap();
            panic!("a compaction panics, as this test wants");
        });
        panics.join().unwrap_err();
        assert!(store.stats().last_error.unwrap().contains("the compactor panicked"));
        assert!(matches!(store.compact(), Err(KvsError::NoCompaction)));
        store.set("key".into(), "later".into()).unwrap();
        assert_eq!(store.get("key".into()).unwrap().unwrap(), "later");
    }
}
