//! Compaction: copies the live records of all sealed segments into new ones, and deletes the old.
//!
//! It runs beside readers and writers. A writer waits only while the segment that is written to is
//! sealed, at the start. The order of the steps makes a crash at any of them harmless:
//!
//! 1. the live records are copied, in their order, and the copies synced;
//! 2. the log is synced: what made a record garbage must not vanish once that record is gone;
//! 3. the manifest names the copies instead of the old segments;
//! 4. each index entry that still points into an old segment is moved to the copy, by
//!    compare-and-swap: an entry that was overwritten or removed meanwhile is left alone;
//! 5. the old segments are deleted. Readers that are in one of them stay there.
//!
//! Because the old segments are all there are before the one that is written to, a removal among
//! them has nothing left to remove, and is dropped.

use super::catalog::Sealed;
use super::committer::Committer;
use super::index::{Entry, Index};
use super::log::Log;
use super::manifest::WriteError;
use super::record::{self, Location, Record};
use super::segment::{self, Scan, Segment};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Instant, Mutex, fault, thread};
use crate::{KvsError, Result};
use std::collections::HashSet;
use std::sync::{Arc, TryLockError};
use std::time::Duration;

/// How many bytes are copied before it looks up: at whether it shall stop, and at the clock.
const CHUNK: usize = 1 << 20;

/// How many entries are moved before it looks up: few enough that what they leave behind is freed
/// soon, and enough that this lasts longer than a get.
const MOVES: usize = 1024;

/// The longest pause: a read that hung on the disk is no reason for one as long.
const MAX_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Compactor {
    log: Arc<Log>,
    index: Arc<Index>,
    committer: Arc<Committer>,
    /// One compaction at a time; holds the error of the last one, if it failed. Poisoned if it
    /// panicked, and then there is no other.
    running: Mutex<Option<String>>,
    /// Compactions that were completed. Written under `running`; `Release` and `Acquire`, so that
    /// who sees it sees the directory without the old segments.
    count: AtomicU64,
    /// Set once, when the store is closed, or when no further compaction may run. Read at the
    /// start of a compaction under `running`, and in its course only to end it sooner: `Relaxed`.
    cancelled: AtomicBool,
}

impl Compactor {
    pub(super) fn new(log: Arc<Log>, index: Arc<Index>, committer: Arc<Committer>) -> Compactor {
        Compactor {
            log,
            index,
            committer,
            running: Mutex::default(),
            count: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
        }
    }

    /// Whether it would pay: because half of the bytes are garbage, or because there are more segments
    /// than their live bytes explain.
    ///
    /// A compaction leaves no reason for the next one. It begins a new segment only for a record that
    /// does not fit into the one before, so any two neighbours are together longer than a segment may
    /// become, and there are at most two segments for each such length of live bytes, and one.
    pub(super) fn is_due(&self) -> bool {
        let Log { options, catalog, .. } = &*self.log;
        let (garbage, bytes) = (self.index.garbage(), catalog.bytes());
        let explained = 2 * bytes.saturating_sub(garbage) / u64::from(options.segment_bytes.max(1));
        garbage >= options.compact_at && garbage >= bytes / 2
            || catalog.sealed() > explained + options.spare_segments
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(super) fn last_error(&self) -> Option<String> {
        match self.running.try_lock() {
            Ok(last) => last.clone(),
            // While a compaction runs: people who ask for the stats do not wait for it.
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Poisoned(_)) => Some("the compactor panicked".to_owned()),
        }
    }

    /// Whether it would pay only with the segment that is written to. If not, that one is left alone:
    /// to seal it begins a new one, and a store that is closed again and again before its compaction
    /// is done would have one more each time.
    pub(super) fn needs_tail(&self) -> bool {
        let Log { options, catalog, .. } = &*self.log;
        let bytes = catalog.bytes();
        let garbage: u64 = catalog.lock().sealed.iter().map(|(s, _)| s.garbage()).sum();
        let is_due_by_number = self.index.garbage() < options.compact_at;
        !is_due_by_number && (garbage < options.compact_at || garbage < bytes / 2)
    }

    /// Compacts if it would pay. Returns whether it did.
    pub(super) fn run_if_due(&self) -> Result<bool> {
        let is_due = self.is_due();
        if is_due {
            self.run(self.needs_tail())?;
        }
        Ok(is_due)
    }

    /// Compacts all sealed segments, with the one that is written to or without it. If it fails, the
    /// store is as it was.
    pub(super) fn run(&self, with_tail: bool) -> Result<()> {
        let Ok(mut last_error) = self.running.lock() else {
            // It panicked, perhaps with half of its entries moved. See `compact`.
            return Err(KvsError::NoCompaction);
        };
        self.check_cancelled()?;
        let result = self.compact(with_tail);
        *last_error = result.as_ref().err().map(ToString::to_string);
        if result.is_ok() {
            self.count.fetch_add(1, Ordering::Release);
        }
        result
    }

    fn compact(&self, with_tail: bool) -> Result<()> {
        let (log, index) = (&*self.log, &*self.index);
        if with_tail {
            log.seal()?;
        }
        let old = log.catalog.lock().sealed.clone();
        // A record that has its place and isn't published yet would pass for garbage.
        if !fault!("compaction does not wait for those that publish") {
            self.committer.stripes.pass();
        }
        let mut copies = Copies { log, segments: Vec::new(), buffer: Vec::new() };
        let installed = match self.copy(&old, &mut copies) {
            Ok(()) => log.catalog.install(0..old.len(), &copies.segments),
            Err(error) => Err(WriteError::Unchanged(error)),
        };
        match installed {
            Ok(()) => {}
            Err(WriteError::Unchanged(error)) => {
                self.delete(&copies.segments);
                return Err(error);
            }
            // Old and new may be needed; the next open deletes those that are not.
            Err(WriteError::Unknown(error)) => {
                self.cancel();
                return Err(error);
            }
        }
        let numbers = old.iter().map(|(segment, _)| segment.number).collect();
        for (copy, end) in &copies.segments {
            if let Err(error) = self.move_entries(copy, *end, &numbers) {
                // Entries that were not moved are good for as long as the store is open. But the
                // next compaction would take their copies for garbage.
                self.cancel();
                return Err(error);
            }
        }
        index.subtract_garbage(old.iter().map(|(segment, _)| segment.take_garbage()).sum());
        self.delete(&old);
        Ok(())
    }

    pub(super) fn check_cancelled(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(KvsError::NoCompaction);
        }
        Ok(())
    }

    fn copy(&self, old: &[Sealed], copies: &mut Copies<'_>) -> Result<()> {
        let mut copied = 0;
        let mut since = Instant::now();
        for (segment, end) in old {
            let mut scan = Scan::new(segment, *end);
            while let Some((record, location, len)) = scan.next_whole()? {
                copied += len as usize;
                if self.index.is_at(record.key, location.segment, location.offset) {
                    copies.append(&record)?;
                }
                if copied >= CHUNK {
                    self.check_cancelled()?;
                    pause(since.elapsed());
                    (copied, since) = (0, Instant::now());
                }
            }
        }
        copies.finish()?;
        self.log.sync()
    }

    fn move_entries(&self, copy: &Segment, end: u32, old: &HashSet<u64>) -> Result<()> {
        let index = &*self.index;
        let mut scan = Scan::new(copy, end);
        loop {
            let since = Instant::now();
            // The entries that are replaced are freed by the last thread that had a pin by then. Gets
            // are short, so that is this thread, and no get is held up by it. With a pin for each move
            // it would now and then be a get, which then takes several times as long.
            let pin = index.entries.pin();
            let (mut moves, mut bytes) = (0, 0);
            while moves < MOVES && bytes < CHUNK {
                let Some((record, Location { offset, .. }, len)) = scan.next_whole()? else {
                    return Ok(());
                };
                let value = record.value.unwrap_or_default();
                let entry = Entry::new(copy.number, offset, len, value);
                index.move_out_of(old, record.key, &entry);
                (moves, bytes) = (moves + 1, bytes + len as usize);
            }
            drop(pin);
            self.check_cancelled()?;
            pause(since.elapsed());
        }
    }

    fn delete(&self, segments: &[Sealed]) {
        let segments: Vec<_> = segments.iter().map(|(segment, _)| Arc::clone(segment)).collect();
        fault!("a deleted segment is emptied", drop(segments[0].file.set_len(0)));
        self.log.catalog.delete(&segments);
    }
}

/// Leaves as much time to the requests as the compaction took. The close of the store ends it
/// (`Background::stop`).
fn pause(worked: Duration) {
    thread::park_timeout(worked.min(MAX_PAUSE));
}

/// The new segments.
struct Copies<'a> {
    log: &'a Log,
    /// With the end of each; of the last one, what was written already.
    segments: Vec<Sealed>,
    /// What was not written yet, at the end of the last segment.
    buffer: Vec<u8>,
}

impl Copies<'_> {
    fn append(&mut self, record: &Record<'_>) -> Result<()> {
        let len = record::len(record.key, record.value) as u64;
        let room = u64::from(self.log.options.segment_bytes);
        match self.segments.last() {
            Some((_, end)) if u64::from(*end) + self.buffer.len() as u64 + len <= room => {}
            _ => self.begin()?,
        }
        let Some((segment, end)) = self.segments.last() else {
            return Ok(());
        };
        let offset = *end + self.buffer.len() as u32;
        let location = Location { segment: segment.number, offset };
        record::encode(&mut self.buffer, location, &Record { synced: 0, ..*record });
        if self.buffer.len() >= CHUNK { self.write() } else { Ok(()) }
    }

    fn begin(&mut self) -> Result<()> {
        self.finish()?;
        self.segments.push((self.log.catalog.create()?, segment::HEADER));
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        if let Some((segment, end)) = self.segments.last_mut() {
            let written = segment.file.write_at(&self.buffer, (*end).into());
            written.map_err(KvsError::at(&segment.path))?;
            *end += self.buffer.len() as u32;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes what is left and makes the last segment durable. It is complete then.
    fn finish(&mut self) -> Result<()> {
        self.write()?;
        match self.segments.last() {
            Some((segment, _)) => segment.file.sync().map_err(KvsError::at(&segment.path)),
            None => Ok(()),
        }
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
        super::pause(Duration::from_secs(30));
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
