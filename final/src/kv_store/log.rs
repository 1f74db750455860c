//! The log: records are appended to it by any number of threads, and written by one at a time.
//!
//! A thread gives its record a place behind all others and queues the bytes (`tail.rs`). If no thread is
//! writing, it *leads*: it takes what is queued as one batch and writes it with one call. The records that
//! come meanwhile queue up for the next batch, whose leader is whichever of their threads is first to find that
//! nobody leads: the lead isn't handed over. A *follower* looks for that for about as long as a
//! write call takes, then it sleeps. So a batch is as large as the number of threads that came during the one
//! before; and a thread that is alone queues, leads, and waits for nobody.
//!
//! The log has no holes: a batch that can't be written is truncated away, its records are written one by one,
//! and so are those that had places behind it. Each thread is told what became of its own.

use super::catalog::Catalog;
use super::committer::Op;
use super::options::{Durability, KvStoreOptions};
use super::record::{self, Location};
use super::segment::{self, Segment};
use super::tail::{Batch, Tail};
use crate::panic::discard;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard, fault};
use crate::{KvsError, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

/// How much is reserved ahead of the log's end at level `always`, in bytes: a file that does not
/// grow is cheaper to sync.
const RESERVE: u64 = 4 << 20;

/// How often a follower looks before it goes to sleep: for about as long as a short write call takes.
const SPIN_LIMIT: u32 = if cfg!(loom) { 1 } else { 300 };

pub(super) struct Log {
    pub(super) options: KvStoreOptions,
    pub(super) catalog: Catalog,
    /// Held for a push, for a look, and by whoever has the lead and changes the segment; not during the write
    /// of a batch.
    pub(super) tail: Mutex<Tail>,
    /// Twice the number of the first batch that is not done, and one more while a leader is at work. Changed
    /// while `tail` is held, so that followers can look without it. `Release` and `Acquire`, so that
    /// who sees that a batch is done sees the bytes in the file, and `redone`.
    state: AtomicU64,
    /// Batches below this may have been redone, which the tail then knows. `Relaxed`: stored before `state`.
    redone: AtomicU64,
    /// Where followers sleep: those of batches with even numbers, and of those with odd numbers. At most two
    /// batches are under way.
    told: [Condvar; 2],
    /// Where threads sleep that want the tail for themselves.
    idle: Condvar,
    /// Held during a sync of the log, and until its failure is known in `stopped`.
    pub(super) syncing: Mutex<()>,
}

impl Log {
    pub(super) fn new(options: KvStoreOptions, catalog: Catalog, tail: Tail) -> Log {
        Log {
            options,
            catalog,
            tail: Mutex::new(tail),
            state: AtomicU64::new(0),
            redone: AtomicU64::new(0),
            told: [Condvar::new(), Condvar::new()],
            idle: Condvar::new(),
            syncing: Mutex::default(),
        }
    }

    /// No panic comes while the tail is half changed: what can panic goes through `catch`.
    pub(super) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends the records of the ops that have not failed, and says in each where its record is, or why it
    /// could not be written: all `together`, or each by itself. They are in the file when this returns, at level
    /// `always` durably. Returns the segment's number.
    ///
    /// # Errors
    /// If none of them could be, because no segment has room for them.
    pub(super) fn append(&self, ops: &mut [Op], together: bool) -> Result<u64> {
        let len = ops.iter().filter(|op| op.result.is_ok()).map(Op::len).sum();
        let mut tail = self.make_room(len)?;
        let segment = tail.segment.number;
        let ticket = tail.push(ops, together);
        fault!("found before it is written", return Ok(segment));
        if tail.is_led {
            drop(tail);
            self.follow(ticket.batch);
        } else {
            drop(self.lead(tail));
        }
        if self.redone.load(Ordering::Relaxed) > ticket.batch {
            self.tail().take_outcomes(&ticket, ops, together);
        }
        Ok(segment)
    }

    /// The tail, when its segment has room for so many bytes of records.
    fn make_room(&self, len: usize) -> Result<MutexGuard<'_, Tail>> {
        if u32::try_from(len).ok().and_then(|len| len.checked_add(segment::HEADER)).is_none() {
            return Err(KvsError::TooLarge { what: "batch", len, limit: u32::MAX as usize });
        }
        let mut tail = self.tail();
        loop {
            self.catalog.stopped.check()?;
            if tail.has_room(len, self.options.segment_bytes) {
                return Ok(tail);
            }
            let full = tail.segment.number;
            tail = self.finish_writes(tail, full);
            if tail.segment.number == full {
                self.rotate(&mut tail)?;
            }
        }
    }

    /// Of the segments with this number or a higher one the first, where it ends now, and whether it's the last.
    pub(super) fn first_from(&self, number: u64) -> Option<(Arc<Segment>, u32, bool)> {
        // Both at one moment: what is overwritten between two looks would be behind the first and gone at the second.
        let tail = self.tail();
        let newest = (Arc::clone(&tail.segment), tail.written);
        let segments = self.catalog.lock();
        drop(tail);
        let all = segments.sealed.iter().chain([&newest]);
        let mut rest = all.filter(|(segment, _)| segment.number >= number);
        let (segment, end) = rest.clone().min_by_key(|(segment, _)| segment.number)?;
        Some((Arc::clone(segment), *end, rest.all(|(other, _)| other.number <= segment.number)))
    }

    /// Waits until nothing is queued for this segment and nobody leads, or leads to bring that about. The thread that
    /// has the tail then is alone with the segment, or another thread has begun the next one meanwhile.
    pub(super) fn finish_writes<'a>(
        &'a self,
        mut tail: MutexGuard<'a, Tail>,
        number: u64,
    ) -> MutexGuard<'a, Tail> {
        let is_led = |tail: &mut Tail| tail.is_led && tail.segment.number == number;
        loop {
            if is_led(&mut tail) {
                tail.waiting += 1;
                let idle = self.idle.wait_while(tail, is_led);
                tail = idle.unwrap_or_else(PoisonError::into_inner);
                tail.waiting -= 1;
            } else if tail.segment.number != number || tail.queued.units.is_empty() {
                return tail;
            } else {
                tail = self.lead(tail);
            }
        }
    }

    /// Waits until a batch is done, which some thread may have to lead that waits like this one.
    fn follow(&self, batch: u64) {
        for _ in 0..SPIN_LIMIT {
            let state = self.state.load(Ordering::Acquire);
            if state >> 1 > batch {
                return;
            }
            if state & 1 == 0 {
                break;
            }
            std::hint::spin_loop();
        }
        let mut tail = self.tail();
        let place = (batch % 2) as usize;
        tail.sleeping[place] += 1;
        let told = self.told[place].wait_while(tail, |tail| tail.is_led && tail.done <= batch);
        tail = told.unwrap_or_else(PoisonError::into_inner);
        tail.sleeping[place] -= 1;
        if tail.done <= batch {
            drop(self.lead(tail));
        }
    }

    /// Writes what is queued. Nobody leads.
    fn lead<'a>(&'a self, mut tail: MutexGuard<'a, Tail>) -> MutexGuard<'a, Tail> {
        let segment = &*Arc::clone(&tail.segment);
        tail.is_led = true;
        self.note_state(&tail);
        let batch = tail.take_batch();
        let start = tail.written;
        self.reserve(&mut tail);
        drop(tail);
        let written = catch(|| {
            self.write(segment, start, &batch.bytes)?;
            match self.options.durability {
                Durability::Always => self.sync_segment(segment),
                _ => Ok(()),
            }
        });
        let mut tail = self.tail();
        self.end_lead(&mut tail, batch, written);
        tail
    }

    /// Writes to the file.
    fn write(&self, segment: &Segment, start: u32, bytes: &[u8]) -> Result<()> {
        #[cfg(feature = "testing")]
        crate::sync_points::reach(crate::sync_points::Point::Append);
        segment.file.write_at(bytes, start.into()).map_err(KvsError::at(&segment.path))
    }

    /// Says what came of a batch. After an error each unit of it gets another try, if it is in the company of
    /// others: perhaps just one of them is too long for the disk.
    fn end_lead(&self, tail: &mut Tail, mut batch: Batch, written: Result<()>) {
        match written {
            Ok(()) => {
                tail.written += batch.bytes.len() as u32;
                if self.options.durability == Durability::Always {
                    tail.synced = tail.written;
                }
                tail.done += 1;
                self.catalog.add_bytes(batch.bytes.len() as u64);
            }
            Err(error) => {
                let is_alone = batch.units.len() == 1 && tail.queued.units.is_empty();
                let is_final = is_alone || !matches!(error, KvsError::File { .. });
                self.redo(tail, &mut batch, is_final.then_some(error));
            }
        }
        tail.keep_memory(batch);
        tail.is_led = fault!("the lead is not given up");
        self.note_state(tail);
        self.wake(tail);
    }

    /// Makes the file longer ahead of its end at level `always`.
    fn reserve(&self, tail: &mut Tail) {
        if self.options.durability == Durability::Always && u64::from(tail.end) > tail.reserved {
            // Without the reserve it is slower and just as right.
            let full = u64::from(self.options.segment_bytes.max(tail.end));
            tail.reserved = full.min(u64::from(tail.end) + RESERVE);
            // If it fails, the file may be longer all the same, by a part or by what is written now.
            let Tail { segment, reserved, .. } = tail;
            let _ = catch(|| segment.file.allocate(*reserved).map_err(KvsError::at(&segment.path)));
        }
    }

    /// Writes each unit of a batch that could not be written by itself, with `error` none of them, and
    /// then each of those that were queued behind it. All are done then.
    fn redo(&self, tail: &mut Tail, batch: &mut Batch, error: Option<KvsError>) {
        let first = tail.done;
        let start = tail.written;
        // If that fails, what is behind the end may be there at the next open.
        let error = self.truncate(tail).err().or(error);
        let mut queued = tail.take_batch();
        fault!(
            "records behind a failed one keep their places",
            tail.written += batch.bytes.len() as u32
        );
        let mut outcomes =
            [self.write_units(tail, batch, error), self.write_units(tail, &mut queued, None)];
        tail.keep_memory(queued);
        // Also where nothing was written: a power loss must not bring back what is told to have failed.
        if self.options.durability == Durability::Always {
            match catch(|| self.sync_segment(&tail.segment)) {
                Ok(()) => tail.synced = tail.written,
                Err(stopped) => {
                    tail.written = start;
                    let _ = self.truncate(tail);
                    for units in &mut outcomes {
                        units.fill(Err(stopped.clone()));
                    }
                }
            }
        }
        self.catalog.add_bytes((tail.written - start).into());
        tail.end = tail.written;
        for (number, units) in (first..).zip(outcomes) {
            tail.note_outcomes(number, units);
        }
        tail.done = tail.number;
        self.redone.store(tail.done, Ordering::Relaxed);
    }

    fn write_units(
        &self,
        tail: &mut Tail,
        batch: &mut Batch,
        error: Option<KvsError>,
    ) -> Vec<Result<u32>> {
        let mut rest = &mut batch.bytes[..];
        let mut write = |len: &u32| {
            let (unit, behind) = std::mem::take(&mut rest).split_at_mut(*len as usize);
            rest = behind;
            if let Some(error) = &error {
                return Err(error.clone());
            }
            self.catalog.stopped.check()?;
            let (segment, start) = (Arc::clone(&tail.segment), tail.written);
            record::relocate(unit, Location { segment: segment.number, offset: start });
            match catch(|| self.write(&segment, start, unit)) {
                Ok(()) => tail.written += *len,
                Err(error) => {
                    self.truncate(tail)?;
                    return Err(error);
                }
            }
            Ok(start)
        };
        batch.units.iter().map(&mut write).collect()
    }

    /// Removes what a failed write may have left behind the end of what is written; otherwise ends all
    /// writing.
    fn truncate(&self, tail: &mut Tail) -> Result<()> {
        let path = tail.segment.path.clone();
        let truncated = catch(|| tail.truncate_to_written().map_err(KvsError::at(&path)));
        let stop =
            |error| self.catalog.stopped.stop(format!("a failed write cannot be undone ({error})"));
        truncated.map_err(stop)
    }

    /// Lets followers see how far the log is.
    fn note_state(&self, tail: &Tail) {
        self.state.store(2 * tail.done + u64::from(tail.is_led), Ordering::Release);
    }

    /// Wakes those whose batch is done, and one of those that are queued, to lead. A call costs as much as
    /// a short write, so nobody is called who does not sleep.
    fn wake(&self, tail: &Tail) {
        fault!("followers are not woken", return);
        let queued = (!tail.queued.units.is_empty()).then_some(tail.number % 2);
        for (place, told) in (0..).zip(&self.told) {
            match tail.sleeping[place as usize] {
                0 => {}
                _ if queued == Some(place) => told.notify_one(),
                _ => told.notify_all(),
            }
        }
        if tail.waiting > 0 {
            self.idle.notify_all();
        }
    }
}

/// A panic is an error like others: the lead ends well, and the followers are told.
fn catch(write: impl FnOnce() -> Result<()>) -> Result<()> {
    let done = catch_unwind(AssertUnwindSafe(write));
    fault!("a panic acknowledges", return done.unwrap_or(Ok(())));
    done.unwrap_or_else(|panic| {
        discard(panic);
        Err(KvsError::Stopped { reason: "the writer panicked".to_owned() })
    })
}
