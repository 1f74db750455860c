//! The writing side of a store: it appends, publishes, and begins new segments.

use super::index::{Entry, Index};
use super::manifest::{self, Manifest, WriteError};
use super::options::{Durability, KvStoreOptions};
use super::record::{self, Location, Record};
use super::recovery::Files;
use super::segment::{self, Segment};
use crate::disk::Dir;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, OnceLock, fault};
use crate::{KvsError, Result};
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, PoisonError};

/// How much is reserved ahead of the log's end at level `always`, in bytes: a file that does not
/// grow is cheaper to sync.
const RESERVE: u64 = 4 << 20;

/// A write on its way.
pub(super) struct Op {
    pub(super) key: String,
    /// None for a removal.
    pub(super) value: Option<String>,
    /// What came of it, once it was committed.
    pub(super) result: Result<()>,
}

impl Op {
    pub(super) fn new(key: String, value: Option<String>) -> Op {
        Op { key, value, result: Ok(()) }
    }
}

/// The log: the segment that is written to, and the ones before it.
pub(super) struct Writer {
    pub(super) dir: Arc<dyn Dir>,
    pub(super) index: Arc<Index>,
    pub(super) options: KvStoreOptions,
    /// The end of the log. Held by whoever writes there: one batch of writes at a time, with its
    /// sync at level `always`.
    tail: Mutex<Tail>,
    /// Which segments are the store. Held while the manifest is replaced, by a rotation (which has
    /// `tail` already) or by the compactor (which has not).
    catalog: Mutex<Catalog>,
    /// Held during a sync of the log, and until its failure is known in `stopped`.
    syncing: Mutex<()>,
    /// Why no more is written, once that is so. Set at most once, for good.
    stopped: OnceLock<String>,
    /// How many segments are in `catalog.sealed`, so that nobody need wait for it. For the
    /// compactor's decision, hence `Relaxed`; changed while `catalog` is held.
    pub(super) sealed: AtomicU64,
    /// Bytes in all segments; for the compactor's decision and for people, hence `Relaxed`.
    pub(super) bytes: AtomicU64,
}

struct Tail {
    segment: Arc<Segment>,
    /// Where the last record ends.
    end: u32,
    /// Bytes below this are durable.
    synced: u32,
    /// How long the file may be, reserved space included.
    reserved: u64,
    /// The batch as bytes; kept for its memory.
    buffer: Vec<u8>,
}

pub(super) struct Catalog {
    /// As it is on the disk.
    pub(super) manifest: Manifest,
    /// The number for the next new segment.
    next: u64,
    /// All segments but the one that is written to, in the manifest's order, with their ends.
    pub(super) sealed: Vec<(Arc<Segment>, u32)>,
}

impl Catalog {
    pub(super) fn take_number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}

impl Writer {
    /// Goes on where recovery ended.
    pub(super) fn new(
        options: KvStoreOptions,
        dir: Arc<dyn Dir>,
        index: Arc<Index>,
        files: Files,
    ) -> Result<Writer> {
        let Files { manifest, mut segments, .. } = files;
        let bytes = segments.iter().map(|(_, end)| u64::from(*end)).sum();
        let Some((segment, end)) = segments.pop() else {
            let (path, reason) =
                (dir.path().join(manifest::NAME), "it names no segment".to_owned());
            return Err(KvsError::Damaged { path, offset: 0, reason });
        };
        let tail = Tail { segment, end, synced: end, reserved: end.into(), buffer: Vec::new() };
        Ok(Writer {
            dir,
            index,
            options,
            tail: Mutex::new(tail),
            sealed: AtomicU64::new(segments.len() as u64),
            catalog: Mutex::new(Catalog { next: manifest.next, manifest, sealed: segments }),
            syncing: Mutex::default(),
            stopped: OnceLock::new(),
            bytes: AtomicU64::new(bytes),
        })
    }

    /// A panic under this lock leaves the log as after a failed append: what is behind `end` is
    /// written over, and what was not published is not there.
    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under this lock the manifest and the list change together, without a panic between.
    pub(super) fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a batch: all its records with one write, and at level `always` one sync. Then readers
    /// find them, and the results are in the ops.
    pub(super) fn commit(&self, ops: &mut [Op]) {
        let mut tail = self.tail();
        let appended = self.check_running().and_then(|()| {
            self.refuse_missing(ops);
            self.append(&mut tail, ops)
        });
        match appended {
            Ok(start) => self.publish(&tail, start, ops),
            Err(error) => {
                // That a key is missing may have been concluded from an op that now failed too.
                for op in ops {
                    op.result = Err(error.clone());
                }
            }
        }
    }

    /// A removal of a key that is not there is an error and not a record. Ops before it in the batch
    /// count, though no reader can see them yet; other batches are not under way, because only one
    /// thread at a time commits.
    fn refuse_missing(&self, ops: &mut [Op]) {
        let mut before: HashMap<&str, bool> = HashMap::new();
        let alone = ops.len() == 1;
        for Op { key, value, result } in ops {
            let exists = || match before.get(&**key) {
                Some(exists) => *exists,
                None => self.index.contains(key),
            };
            if value.is_none() && !exists() {
                *result = Err(KvsError::KeyNotFound);
            } else if !alone {
                before.insert(key, value.is_some());
            }
        }
    }

    /// Returns where the batch starts. If it fails, nothing of the batch is in the log.
    fn append(&self, tail: &mut Tail, ops: &[Op]) -> Result<u32> {
        let live = || ops.iter().filter(|op| op.result.is_ok());
        let len: usize = live().map(|op| record::len(&op.key, op.value.as_deref())).sum();
        if len == 0 {
            return Ok(tail.end);
        }
        let is_full = u64::from(tail.end) + len as u64 > self.options.segment_bytes.into();
        if is_full && tail.end > segment::HEADER {
            self.rotate(tail)?;
        }
        let start = tail.end;
        let Some(end) = u32::try_from(len).ok().and_then(|len| start.checked_add(len)) else {
            return Err(KvsError::TooLarge { what: "batch", len, limit: u32::MAX as usize });
        };

        tail.buffer.clear();
        for op in live() {
            let offset = start + tail.buffer.len() as u32;
            let location = Location { segment: tail.segment.number, offset };
            let value = op.value.as_deref();
            let record = Record { synced: tail.synced, key: &op.key, value };
            record::encode(&mut tail.buffer, location, &record);
        }
        #[cfg(feature = "testing")]
        crate::sync_points::reach(crate::sync_points::Point::Append);
        if self.options.durability == Durability::Always && u64::from(end) > tail.reserved {
            // Without the reserve it is slower and just as right.
            let full = u64::from(self.options.segment_bytes.max(end));
            tail.reserved = full.min(u64::from(end) + RESERVE);
            // If it fails, the file may be longer all the same, by a part or by what is written now.
            let _ = tail.segment.file.allocate(tail.reserved);
        }
        fault!("found before it is written", self.publish_one(&tail.segment, start, len, ops));
        if let Err(error) = tail.segment.file.write_at(&tail.buffer, start.into()) {
            self.truncate_to_end(tail);
            return Err(KvsError::at(&tail.segment.path)(error));
        }
        tail.buffer.shrink_to(1 << 20);
        if self.options.durability == Durability::Always {
            if let Err(stopped) = self.sync_segment(&tail.segment) {
                // So that the next open finds what readers saw, if the disk still takes that.
                self.truncate_to_end(tail);
                return Err(stopped);
            }
            tail.synced = end;
        }
        tail.end = end;
        self.bytes.fetch_add(len as u64, Ordering::Relaxed);
        Ok(start)
    }

    /// Removes what a failed write may have left behind the end.
    fn truncate_to_end(&self, tail: &mut Tail) {
        tail.reserved = tail.end.into();
        if let Err(error) = tail.segment.file.set_len(tail.end.into()) {
            self.stop(format!("a failed write cannot be undone ({error})"));
        }
    }

    fn publish(&self, tail: &Tail, start: u32, ops: &mut [Op]) {
        let mut offset = start;
        for op in ops.iter_mut().filter(|op| op.result.is_ok()) {
            let len = record::len(&op.key, op.value.as_deref()) as u32;
            match &op.value {
                Some(value) => {
                    let entry = Entry::new(Arc::clone(&tail.segment), offset, len, value);
                    self.index.insert(std::mem::take(&mut op.key).into_boxed_str(), entry);
                }
                None => self.index.remove(&op.key, &tail.segment, len),
            }
            offset += len;
        }
        self.index.free_after_compaction();
    }

    /// Seals the segment that is written to and begins the next. If it fails, the old one is still
    /// the one that is written to, or nothing is written any more.
    fn rotate(&self, tail: &mut Tail) -> Result<()> {
        let old = &tail.segment;
        if tail.reserved > tail.end.into() {
            old.file.set_len(tail.end.into()).map_err(KvsError::at(&old.path))?;
            tail.reserved = tail.end.into();
        }
        // A sealed segment is never torn, at no level: the manifest will vouch for it.
        self.sync_segment(old)?;
        tail.synced = tail.end;

        let mut catalog = self.catalog();
        let mut manifest = catalog.manifest.clone();
        let new = Segment::create(&*self.dir, catalog.take_number())
            .map_err(|error| error.or_open_files(self.dir.path(), manifest.segments.len() + 1))?;
        if let Some((_, end)) = manifest.segments.last_mut() {
            *end = Some(tail.end);
        }
        manifest.segments.push((new.number, None));
        match self.replace_manifest(&mut catalog, manifest) {
            Ok(()) => {}
            Err(WriteError::Unchanged(error)) => {
                new.remove(&*self.dir);
                return Err(error);
            }
            // If the new manifest counts, a write to the old segment would be lost.
            Err(WriteError::Unknown(error)) => {
                return Err(self.stop(format!("the manifest could not be replaced ({error})")));
            }
        }
        catalog.sealed.push((Arc::clone(&tail.segment), tail.end));
        self.sealed.store(catalog.sealed.len() as u64, Ordering::Relaxed);
        self.bytes.fetch_add(segment::HEADER.into(), Ordering::Relaxed);
        tail.segment = new;
        (tail.end, tail.synced) = (segment::HEADER, segment::HEADER);
        tail.reserved = segment::HEADER.into();
        Ok(())
    }

    /// Seals what was written so far, if anything was.
    pub(super) fn seal(&self) -> Result<()> {
        self.check_running()?;
        let mut tail = self.tail();
        if tail.end > segment::HEADER { self.rotate(&mut tail) } else { Ok(()) }
    }

    /// Makes everything that was written so far durable. Writers go on meanwhile.
    pub(super) fn sync(&self) -> Result<()> {
        self.check_running()?;
        let (segment, end) = {
            let tail = self.tail();
            if tail.synced == tail.end {
                return self.see(&tail.segment);
            }
            (Arc::clone(&tail.segment), tail.end)
        };
        self.sync_segment(&segment)?;
        let mut tail = self.tail();
        if tail.segment.number == segment.number {
            tail.synced = tail.synced.max(end);
        }
        Ok(())
    }

    /// Syncs a segment; a failure ends all writing, before anybody else can sync the same file. The
    /// operating system reports a failure once, and a second sync would succeed on what was lost.
    fn sync_segment(&self, segment: &Segment) -> Result<()> {
        let _one_at_a_time = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        fault!("a sync begins before the failure of another is known", drop(_one_at_a_time));
        self.check_running()?;
        let synced = segment.file.sync().map_err(KvsError::at(&segment.path));
        synced.map_err(|error| self.stop(format!("a sync failed ({error})")))?;
        self.see(segment)
    }

    /// Sees that what is written is still found by the next open; otherwise ends all writing.
    fn see(&self, segment: &Segment) -> Result<()> {
        segment.see_in(&*self.dir).map_err(|lost| self.stop(lost.to_string()))
    }

    /// The same of the segment that is written to.
    pub(super) fn see_tail(&self) -> Result<()> {
        self.check_running()?;
        let segment = Arc::clone(&self.tail().segment);
        self.see(&segment)
    }

    /// Sees that nobody else has written to the directory; otherwise ends all writing.
    fn see_dir(&self, catalog: &Catalog) -> Result<()> {
        let lost = |what: &dyn Display| self.stop(format!("{}: {what}", self.dir.path().display()));
        self.dir.confirm().map_err(|error| match manifest::is_full(&error) {
            true => KvsError::at(self.dir.path())(error),
            false => lost(&error),
        })?;
        match Manifest::read(&*self.dir) {
            Ok(Some(found)) if found != catalog.manifest => Err(lost(&"its manifest was replaced")),
            Ok(_) => Ok(()),
            Err(error @ KvsError::File { .. }) => Err(error),
            Err(error) => Err(self.stop(error.to_string())),
        }
    }

    /// Replaces the manifest of a directory that is still ours.
    pub(super) fn replace_manifest(
        &self,
        catalog: &mut Catalog,
        mut manifest: Manifest,
    ) -> std::result::Result<(), WriteError> {
        self.see_dir(catalog).map_err(WriteError::Unchanged)?;
        manifest.next = catalog.next;
        manifest.write(&*self.dir)?;
        catalog.manifest = manifest;
        Ok(())
    }

    /// Truncates the reserved space, syncs, and writes down that the store was closed in good order.
    pub(super) fn close(&self) -> Result<()> {
        self.check_running()?;
        let tail = self.tail();
        let mut catalog = self.catalog();
        // Before anything is truncated.
        self.see_dir(&catalog)?;
        self.see(&tail.segment)?;
        let end = u64::from(tail.end);
        if !(end..=end.max(tail.reserved)).contains(&tail.segment.len()?) {
            return Err(self.stop(format!("{} was written to", tail.segment.path.display())));
        }
        let file = &tail.segment.file;
        let truncated = if tail.reserved > end { file.set_len(end) } else { Ok(()) };
        truncated.and_then(|()| file.sync()).map_err(KvsError::at(&tail.segment.path))?;
        let mut manifest = catalog.manifest.clone();
        if let Some((_, end)) = manifest.segments.last_mut() {
            *end = Some(tail.end);
        }
        self.replace_manifest(&mut catalog, manifest).map_err(WriteError::into_inner)
    }

    /// Ends all writing, for good. A sync that failed is not tried again: the operating system may
    /// have dropped the bytes and would report success.
    pub(super) fn stop(&self, reason: String) -> KvsError {
        let mut is_first = false;
        let reason = self.stopped.get_or_init(|| {
            is_first = true;
            reason
        });
        let stopped = KvsError::Stopped { reason: reason.clone() };
        if is_first {
            // Only now: whoever takes log lines may take his time.
            log::error!("{stopped}");
        }
        stopped
    }

    pub(super) fn check_running(&self) -> Result<()> {
        match self.stopped.get() {
            None => Ok(()),
            Some(reason) => Err(KvsError::Stopped { reason: reason.clone() }),
        }
    }

    pub(super) fn stopped(&self) -> Option<&String> {
        self.stopped.get()
    }
}
