//! A step of the compactor: the live records of a few segments are copied, and the segments deleted.
//!
//! It runs beside readers and writers, and no writer waits for it unless it falls behind (`throttle.rs`). The
//! order of what it does makes a crash at any moment harmless:
//!
//! 1. the live records are copied, and the copies synced;
//! 2. the log is synced: what made a record garbage must not vanish once that record is gone;
//! 3. the manifest names the copies instead of the old segments;
//! 4. each index entry that still points into an old segment is moved to the copy, by
//!    compare-and-swap: an entry that was overwritten or removed meanwhile is left alone;
//! 5. the old segments are deleted. Readers that are in one of them stay there.
//!
//! The copies are behind all segments that were sealed when the step began, and before the one that was written to. So
//! records move towards the end of the log, and each counts there as before. A live record is the newest
//! of its key: whatever it moves over is of other keys or older. A removal is copied while its key has no value,
//! so whatever it moves over is garbage. What is newer than either is in the segment that was written to, or
//! behind it.

use super::Compactor;
use super::plan::{self, Candidate, Goal};
use crate::kv_store::format::{
    Location, Record, Scan, Segment, WriteError, manifest, record, segment,
};
use crate::kv_store::index::Entry;
use crate::kv_store::log::Log;
use crate::kv_store::log::catalog::{self, Sealed, Sealing};
use crate::sync::atomic::Ordering;
use crate::sync::{Instant, fault, thread};
use crate::{KvsError, Result};
use std::collections::HashSet;
use std::mem;
use std::ops::Range;
use std::time::Duration;

/// How many bytes are copied before it looks up: at whether it shall stop, and at the clock.
pub(crate) const CHUNK: usize = 1 << 20;

/// How many entries are moved before it looks up: few enough that what they leave behind is freed
/// soon, and enough that this lasts longer than a get.
const MOVES: usize = 1024;

/// With fewer numbers left for copies none are begun.
const MIN_NUMBERS: u64 = catalog::SPACING / 2;

/// The longest pause: a read that hung on the disk is no reason for one as long.
const MAX_PAUSE: Duration = Duration::from_millis(100);

impl Compactor {
    /// Does a step, if there is something to do. Returns whether there was. If it fails, the store is as it was.
    pub(crate) fn do_step(&self, goal: &Goal) -> Result<bool> {
        loop {
            if let Some(is_done) = self.try_step(goal)? {
                return Ok(is_done);
            }
        }
    }

    /// The same; none if it has to begin anew, with other numbers or other segments.
    fn try_step(&self, goal: &Goal) -> Result<Option<bool>> {
        let log = &*self.log;
        let Sealing { sealed, tail, numbers } = log.catalog.sealing();
        // A record that has its place and isn't published yet would pass for garbage.
        if !fault!("compaction does not wait for those that publish") {
            self.committer.stripes.pass();
        }
        let candidates: Vec<_> = sealed.iter().map(candidate).collect();
        let room = u64::from(log.options.segment_bytes.saturating_sub(segment::HEADER).max(1));
        let (victims, stuck) = plan::choose(&candidates, goal, room);
        self.stuck.store(stuck, Ordering::Relaxed);
        if victims.is_empty() {
            return Ok(Some(false));
        }
        if numbers.end - numbers.start < MIN_NUMBERS {
            // They are taken from those before the next segment.
            log.seal(true)?;
            return Ok(None);
        }
        let mut copies = Copies { log, numbers, segments: Vec::new(), buffer: Vec::new() };
        let old: Vec<_> = sealed.iter().zip(&candidates).collect();
        let installed = match self.copy(&old, &victims, &mut copies) {
            Ok(()) => log.catalog.install(&victims, &copies.segments, tail),
            Err(error) => Err(WriteError::Unchanged(error)),
        };
        match installed {
            Ok(()) => {}
            Err(WriteError::Unchanged(error)) => {
                self.delete(copies.segments);
                let given_up = |(segment, known): &(&Sealed, &Candidate)| {
                    segment.0.unreadable.get().is_some() && !known.is_unreadable
                };
                return if old.iter().any(given_up) { Ok(None) } else { Err(error) };
            }
            // Old and new may be needed; the next open deletes those that are not.
            Err(WriteError::Unknown(error)) => {
                if fault!("copies are deleted although the manifest may name them") {
                    self.delete(copies.segments);
                }
                self.cancel();
                return Err(error);
            }
        }
        for (copy, end) in &copies.segments {
            if let Err(error) = self.move_entries(copy, *end, &victims) {
                // Entries that were not moved are good for as long as the store is open. But the
                // next step would take their copies for garbage.
                if !fault!("steps go on after half of the entries were moved") {
                    self.cancel();
                }
                return Err(error);
            }
        }
        let is_old = |(segment, _): &Sealed| victims.contains(&segment.number);
        let old: Vec<Sealed> = sealed.into_iter().filter(is_old).collect();
        self.reclaim(old, &copies.segments);
        Ok(Some(true))
    }

    fn copy(
        &self,
        all: &[(&Sealed, &Candidate)],
        victims: &HashSet<u64>,
        copies: &mut Copies<'_>,
    ) -> Result<()> {
        let mut copied = 0;
        let mut since = Instant::now();
        // Whether there are dead records in an earlier segment, and they stay.
        let mut is_dirty = false;
        for ((segment, end), Candidate { number, live, dead, removals, .. }) in all {
            if !victims.contains(number) {
                is_dirty |= *dead > 0;
                continue;
            }
            let keeps_removals = is_dirty
                && *removals > 0
                && !fault!("a removal is dropped although an earlier segment has its key");
            if *live == 0 && !keeps_removals {
                continue;
            }
            let mut scan = Scan::new(segment, *end);
            let give_up = |error: &KvsError| give_up(segment, error);
            while let Some((record, location, len)) = scan.next_whole().inspect_err(give_up)? {
                copied += len as usize;
                let is_kept = match record.value {
                    Some(_) => self.index.is_at(record.key, location.segment, location.offset),
                    // If the key has a value, the record of that overrides all earlier ones, too.
                    None => keeps_removals && !self.index.contains(record.key),
                };
                if is_kept {
                    copies.append(&record)?;
                }
                if copied >= CHUNK {
                    self.check_cancelled()?;
                    self.pause(since.elapsed());
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
                match record.value {
                    Some(_) => {
                        let entry = Entry::new(copy.number, offset, len, record.value);
                        index.move_out_of(old, record.key, &entry);
                    }
                    None => index.add_removal(copy.number, len),
                }
                (moves, bytes) = (moves + 1, bytes + len as usize);
            }
            drop(pin);
            self.check_cancelled()?;
            self.pause(since.elapsed());
        }
    }

    /// Unless writers wait already.
    pub(crate) fn pause(&self, worked: Duration) {
        if !self.is_behind() {
            pause(worked);
        }
    }

    /// Deletes the old segments, and counts the copies in their place.
    fn reclaim(&self, old: Vec<Sealed>, copies: &[Sealed]) {
        let bytes = |segments: &[Sealed]| segments.iter().map(|(_, end)| u64::from(*end)).sum();
        let (mut gone, mut copied) = (bytes(&old), bytes(copies));
        let mut garbage = old.iter().map(|(segment, _)| segment.take_garbage()).sum();
        let Log { catalog, .. } = &*self.log;
        if fault!("writers go on before there is space") {
            self.index.subtract_garbage(mem::take(&mut garbage));
        }
        if fault!("live bytes of a step are gone before its garbage") {
            catalog.replace_bytes(mem::take(&mut gone), mem::take(&mut copied));
        }
        // Until their space is there, it's none for writers that wait for it. Their live bytes count as long: if they
        // didn't, there would seem to be more garbage than writers may make, and these would wait.
        self.delete(old);
        catalog.replace_bytes(gone, copied);
        self.index.subtract_garbage(garbage);
    }

    /// They are closed with that, unless readers are in them.
    fn delete(&self, segments: Vec<Sealed>) {
        let segments: Vec<_> = segments.into_iter().map(|(segment, _)| segment).collect();
        fault!("a deleted segment is emptied", drop(segments[0].file.set_len(0)));
        self.log.catalog.delete(&segments);
    }
}

/// Leaves a segment to the next open, unless it's only that there's no space.
fn give_up(segment: &Segment, error: &KvsError) {
    if !matches!(error, KvsError::File { source, .. } if manifest::is_full(source)) {
        ::log::error!("a segment isn't compacted before the next open: {error}");
        let _ = segment.unreadable.set(error.clone());
    }
}

fn candidate((segment, end): &Sealed) -> Candidate {
    let (garbage, removals) = (segment.garbage(), segment.removals());
    let records = u64::from(end - segment::HEADER);
    debug_assert!(removals <= garbage && garbage <= records, "{removals} {garbage} {records}");
    let (live, dead) = (records.saturating_sub(garbage), garbage.saturating_sub(removals));
    let is_unreadable = segment.unreadable.get().is_some();
    Candidate { number: segment.number, live, dead, removals, is_unreadable }
}

/// Leaves as much time to the requests as the compaction took. The close of the store ends it
/// (`Background::stop`).
pub(crate) fn pause(worked: Duration) {
    thread::park_timeout(worked.min(MAX_PAUSE));
}

/// The new segments.
struct Copies<'a> {
    log: &'a Log,
    /// Those that are left for more.
    numbers: Range<u64>,
    /// With the end of each; of the last one, what was written already.
    segments: Vec<Sealed>,
    /// What was not written yet, at the end of the last segment.
    buffer: Vec<u8>,
}

impl Copies<'_> {
    fn append(&mut self, record: &Record<'_>) -> Result<()> {
        let len = record::len(record.key, record.value) as u64;
        // Where segments have become much shorter with another open, there may be too few numbers.
        let room = match self.numbers.is_empty() {
            false => self.log.options.segment_bytes,
            true => u32::MAX,
        };
        match self.segments.last() {
            Some((_, end)) if u64::from(*end) + self.buffer.len() as u64 + len <= room.into() => {}
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
        let number = self.numbers.next().ok_or(KvsError::NoCompaction)?;
        self.segments.push((self.log.catalog.create_copy(number)?, segment::HEADER));
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
