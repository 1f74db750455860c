//! What a leader does: it writes a batch, and if that fails, what can be written of it.

use super::Log;
use super::tail::{Batch, Tail};
use crate::kv_store::format::{Location, Segment, record};
use crate::kv_store::options::Durability;
use crate::panic::discard;
use crate::sync::atomic::Ordering;
use crate::sync::{MutexGuard, fault};
use crate::{KvsError, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How much is reserved ahead of the log's end at level `always`, in bytes: a file that does not
/// grow is cheaper to sync.
const RESERVE: u64 = 4 << 20;

impl Log {
    /// Writes what is queued. Nobody leads.
    pub(crate) fn lead<'a>(&'a self, mut tail: MutexGuard<'a, Tail>) -> MutexGuard<'a, Tail> {
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
                Durability::Always if !fault!("found before it is synced") => {
                    self.sync_segment(segment)
                }
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
