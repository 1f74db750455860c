//! What becomes of the segment that is written to: it is synced, sealed, and closed.

use super::Log;
use super::catalog::Catalog;
use super::tail::Tail;
use crate::kv_store::format::{Segment, WriteError, segment};
use crate::sync::fault;
use crate::{KvsError, Result};
use std::sync::{Arc, PoisonError};

impl Log {
    /// Seals the segment that is written to and begins the next. If it fails, the old one is still
    /// the one that is written to, or nothing is written any more. Nothing is queued, and nobody leads.
    pub(crate) fn rotate(&self, tail: &mut Tail) -> Result<()> {
        // Until it has succeeded: see `seal`.
        tail.is_full = false;
        let old = Arc::clone(&tail.segment);
        if tail.reserved > tail.end.into() {
            tail.truncate_to_written().map_err(KvsError::at(&old.path))?;
        }
        // A sealed segment is never torn, at no level: the manifest will vouch for it.
        self.sync_segment(&old)?;
        tail.synced = tail.end;
        let new = self.catalog.create()?;
        match self.catalog.rotate((old, tail.end), &new) {
            Ok(()) => {}
            Err(WriteError::Unchanged(error)) => {
                self.catalog.delete(&[new]);
                return Err(error);
            }
            // If the new manifest counts, a write to the old segment would be lost.
            Err(WriteError::Unknown(error)) => {
                let reason = format!("the manifest could not be replaced ({error})");
                return Err(self.catalog.stopped.stop(reason));
            }
        }
        tail.begin(new);
        Ok(())
    }

    /// Seals what was written so far, if anything was, or `even_if_empty`.
    pub(crate) fn seal(&self, even_if_empty: bool) -> Result<()> {
        self.catalog.stopped.check()?;
        let mut tail = self.tail();
        let full = tail.segment.number;
        // Nothing more comes in meanwhile, or it might never be this thread's turn.
        tail.is_full = tail.end > segment::HEADER;
        tail = self.finish_writes(tail, full);
        let has_records = tail.end > segment::HEADER;
        let is_left = tail.segment.number == full && (has_records || even_if_empty);
        if is_left { self.rotate(&mut tail) } else { Ok(()) }
    }

    /// Makes everything that was acknowledged so far durable. Writers go on meanwhile.
    pub(crate) fn sync(&self) -> Result<()> {
        self.catalog.stopped.check()?;
        let (segment, written) = {
            let tail = self.tail();
            (Arc::clone(&tail.segment), (tail.written > tail.synced).then_some(tail.written))
        };
        let Some(written) = written else { return self.see(&segment) };
        self.sync_segment(&segment)?;
        let mut tail = self.tail();
        if tail.segment.number == segment.number {
            tail.synced = tail.synced.max(written);
        }
        Ok(())
    }

    /// Syncs a segment; a failure ends all writing, before anybody else can sync the same file. The
    /// operating system reports a failure once, and a second sync would succeed on what was lost.
    pub(crate) fn sync_segment(&self, segment: &Segment) -> Result<()> {
        let _one_at_a_time = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        fault!("a sync begins before the failure of another is known", drop(_one_at_a_time));
        let stopped = &self.catalog.stopped;
        stopped.check()?;
        let synced = segment.file.sync().map_err(KvsError::at(&segment.path));
        synced.map_err(|error| stopped.stop(format!("a sync failed ({error})")))?;
        self.see(segment)
    }

    /// Sees that what is written is still found by the next open; otherwise ends all writing. A segment that a
    /// compaction has replaced meanwhile is not looked for there.
    fn see(&self, segment: &Segment) -> Result<()> {
        let Catalog { dir, stopped, .. } = &self.catalog;
        match segment.see_in(&**dir) {
            Err(lost) if self.catalog.names(segment.number) => Err(stopped.stop(lost.to_string())),
            _ => Ok(()),
        }
    }

    /// The same of the segment that is written to.
    pub(crate) fn see_tail(&self) -> Result<()> {
        self.catalog.stopped.check()?;
        let segment = Arc::clone(&self.tail().segment);
        self.see(&segment)
    }

    /// Truncates the reserved space, syncs, and writes down that the store was closed in good order.
    /// Nobody writes any more.
    pub(crate) fn close(&self) -> Result<()> {
        let Catalog { stopped, .. } = &self.catalog;
        stopped.check()?;
        let tail = self.tail();
        let number = tail.segment.number;
        let mut tail = self.finish_writes(tail, number);
        // Before anything is truncated.
        self.catalog.see_dir(&self.catalog.lock())?;
        self.see(&tail.segment)?;
        let end = u64::from(tail.end);
        if !(end..=end.max(tail.reserved)).contains(&tail.segment.len()?) {
            return Err(stopped.stop(format!("{} was written to", tail.segment.path.display())));
        }
        let truncated = if tail.reserved > end { tail.truncate_to_written() } else { Ok(()) };
        let synced = truncated.and_then(|()| tail.segment.file.sync());
        synced.map_err(KvsError::at(&tail.segment.path))?;
        self.catalog.close(tail.end)
    }
}
