//! Which segments are the store: what the manifest says, and the open files of those that are sealed.

use super::Stopped;
use crate::disk::Dir;
use crate::kv_store::format::{Manifest, Segment, WriteError, manifest, segment};
use crate::kv_store::index::segment_table::SegmentTable;
use crate::kv_store::recovery::Files;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, fault};
use crate::{KvsError, Result};
use std::collections::HashSet;
use std::fmt::Display;
use std::ops::Range;
use std::slice;
use std::sync::{Arc, PoisonError};

pub(crate) struct Catalog {
    pub(crate) dir: Arc<dyn Dir>,
    pub(crate) stopped: Stopped,
    /// Also those that do not belong to the store yet, or no more.
    open: Arc<SegmentTable>,
    /// Held while the manifest is replaced, by a rotation (which has the tail already) or by the
    /// compactor (which has not).
    pub(crate) segments: Mutex<Segments>,
    /// How many are in `segments.sealed`, so that the compactor's decision waits for no manifest. A hint:
    /// `Relaxed`; changed while `segments` is held.
    sealed: AtomicU64,
    /// Whether sealed segments are read through a map.
    map_sealed: bool,
    /// Whether a sealed segment may lack a hint, so that the compactor looks; with the next write, if it is not
    /// seen at once: `Relaxed`.
    pub(crate) lacks_hints: AtomicBool,
    /// Bytes in all segments; copies count from when those that they replace are deleted. For the compactor's decision and
    /// for people, hence `Relaxed`.
    bytes: AtomicU64,
}

/// The numbers of segments that are written to are multiples of this. Those between are for copies, so that the
/// order of the numbers is the log's: a copy comes before the segment that was written to when it was made.
/// (Not so in stores of earlier versions.)
pub(crate) const SPACING: u64 = 1000;

/// The sealed segments at some moment.
pub(crate) struct Sealing {
    /// In the manifest's order.
    pub(crate) sealed: Vec<Sealed>,
    /// The number of the segment that is written to.
    pub(crate) tail: u64,
    /// What is left for copies.
    pub(crate) numbers: Range<u64>,
}

/// A segment that isn't written to any more, and where its last record ends.
pub(crate) type Sealed = (Arc<Segment>, u32);

/// Whether the manifest was replaced, or why not.
type Replaced = std::result::Result<(), WriteError>;

pub(crate) struct Segments {
    /// As it is on the disk.
    manifest: Manifest,
    /// The number for the next new segment, but for [`SPACING`].
    next: u64,
    /// No copy was made with this number yet, nor with a higher one below the last segment's.
    next_copy: u64,
    /// All segments but the one that is written to, in the manifest's order.
    pub(crate) sealed: Vec<Sealed>,
}

impl Catalog {
    /// Goes on where recovery ended. Also returns the segment that is written to, and its end.
    pub(crate) fn new(
        dir: Arc<dyn Dir>,
        files: Files,
        map_sealed: bool,
        open: Arc<SegmentTable>,
    ) -> Result<(Catalog, Sealed)> {
        let Files { manifest, mut segments, .. } = files;
        let bytes = segments.iter().map(|(_, end)| u64::from(*end)).sum();
        open.add(&segments.iter().map(|(segment, _)| Arc::clone(segment)).collect::<Vec<_>>());
        let Some(newest) = segments.pop() else {
            let (path, reason) =
                (dir.path().join(manifest::NAME), "it names no segment".to_owned());
            return Err(KvsError::Damaged { path, offset: 0, reason });
        };
        let segments = Segments { next: manifest.next, next_copy: 0, manifest, sealed: segments };
        let catalog = Catalog {
            dir,
            stopped: Stopped::new(),
            open,
            sealed: AtomicU64::new(segments.sealed.len() as u64),
            segments: Mutex::new(segments),
            map_sealed,
            lacks_hints: AtomicBool::new(true),
            bytes: AtomicU64::new(bytes),
        };
        catalog.map(&catalog.lock().sealed);
        Ok((catalog, newest))
    }

    /// Under this lock the manifest and the list change together, without a panic between.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Segments> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the manifest names this segment.
    pub(crate) fn names(&self, number: u64) -> bool {
        self.lock().manifest.segments.iter().any(|(named, _)| *named == number)
    }

    /// How many segments are sealed.
    pub(crate) fn sealed(&self) -> u64 {
        self.sealed.load(Ordering::Relaxed)
    }

    /// Bytes in all segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many are gone with segments that were deleted, and so many there are in their copies.
    pub(crate) fn replace_bytes(&self, gone: u64, copied: u64) {
        self.add_bytes(copied);
        self.bytes.fetch_sub(gone, Ordering::Relaxed);
    }

    /// Makes an empty segment to write to, which doesn't belong to the store yet.
    pub(crate) fn create(&self) -> Result<Arc<Segment>> {
        let number = {
            let mut segments = self.lock();
            let number = segments.next.next_multiple_of(SPACING);
            segments.next = number + 1;
            number
        };
        self.create_with(number)
    }

    /// Makes an empty segment for a copy, which doesn't belong to the store yet.
    pub(crate) fn create_copy(&self, number: u64) -> Result<Arc<Segment>> {
        self.lock().next_copy = number + 1;
        self.create_with(number)
    }

    fn create_with(&self, number: u64) -> Result<Arc<Segment>> {
        let count = self.lock().manifest.segments.len();
        let segment = Segment::create(&*self.dir, number)
            .map_err(|error| error.or_open_files(self.dir.path(), count + 1))?;
        self.open.add(slice::from_ref(&segment));
        Ok(segment)
    }

    /// Deletes segments that do not belong to the store, or no more. No index entry points into them. They are
    /// closed as soon as the readers have let go that are in them now.
    pub(crate) fn delete(&self, segments: &[Arc<Segment>]) {
        self.open.remove(segments);
        segments.iter().for_each(|segment| segment.remove(&*self.dir));
    }

    /// Has the manifest say that the segment that was written to ends at `end`, and that `new` is the one that
    /// is written to.
    pub(crate) fn rotate(&self, old: Sealed, new: &Segment) -> Replaced {
        let mut segments = self.lock();
        let mut sealed = segments.sealed.clone();
        sealed.push(old.clone());
        self.replace_manifest(&mut segments, sealed, (new.number, None))?;
        self.map(&[old]);
        self.add_bytes(segment::HEADER.into());
        Ok(())
    }

    /// What a step of the compactor works with.
    pub(crate) fn sealing(&self) -> Sealing {
        let segments = self.lock();
        let tail = segments.tail();
        let last = segments.sealed.iter().map(|(segment, _)| segment.number).max();
        let first = last.map_or(1, |last| last + 1);
        let numbers = first.max(segments.next_copy).min(tail)..tail;
        Sealing { sealed: segments.sealed.clone(), tail, numbers }
    }

    /// Takes some sealed segments out, and puts copies before the segment with the number `before`.
    pub(crate) fn install(&self, old: &HashSet<u64>, copies: &[Sealed], before: u64) -> Replaced {
        let mut segments = self.lock();
        let mut sealed = segments.sealed.clone();
        sealed.retain(|(segment, _)| !old.contains(&segment.number));
        let is_behind = |(segment, _): &Sealed| {
            segment.number == before && !fault!("copies are put at the end of the log")
        };
        let place = sealed.iter().position(is_behind).unwrap_or(sealed.len());
        sealed.splice(place..place, copies.iter().cloned());
        self.stopped.check().map_err(WriteError::Unchanged)?;
        let tail = segments.tail();
        self.replace_manifest(&mut segments, sealed, (tail, None))?;
        self.map(copies);
        Ok(())
    }

    /// Has the manifest say that the store was closed in good order, `end` bytes behind the start of the
    /// segment that was written to.
    pub(crate) fn close(&self, end: u32) -> Result<()> {
        let mut segments = self.lock();
        let (sealed, tail) = (segments.sealed.clone(), segments.tail());
        let replaced = self.replace_manifest(&mut segments, sealed, (tail, Some(end)));
        replaced.map_err(WriteError::into_inner)
    }

    /// Sees that nobody else has written to the directory; otherwise ends all writing.
    pub(crate) fn see_dir(&self, segments: &Segments) -> Result<()> {
        let lost = |what: &dyn Display| {
            self.stopped.stop(format!("{}: {what}", self.dir.path().display()))
        };
        self.dir.confirm().map_err(|error| match manifest::is_full(&error) {
            true => KvsError::at(self.dir.path())(error),
            false => lost(&error),
        })?;
        match Manifest::read(&*self.dir) {
            Ok(Some(found)) if found != segments.manifest => {
                Err(lost(&"its manifest was replaced"))
            }
            Ok(_) => Ok(()),
            Err(error @ KvsError::File { .. }) => Err(error),
            Err(error) => Err(self.stopped.stop(error.to_string())),
        }
    }

    /// Replaces the manifest of a directory that is still ours: it names these sealed segments, and the last one.
    fn replace_manifest(
        &self,
        segments: &mut Segments,
        sealed: Vec<Sealed>,
        last: (u64, Option<u32>),
    ) -> Replaced {
        self.see_dir(segments).map_err(WriteError::Unchanged)?;
        let named = sealed.iter().map(|(segment, end)| (segment.number, Some(*end)));
        let named = named.chain([last]).collect();
        let mut manifest = Manifest { since: None, next: segments.next, segments: named };
        manifest.write(&*self.dir)?;
        self.sealed.store(sealed.len() as u64, Ordering::Relaxed);
        self.lacks_hints.store(true, Ordering::Relaxed);
        (segments.manifest, segments.sealed) = (manifest, sealed);
        Ok(())
    }

    /// Has segments read through maps that are sealed now, if that is wanted.
    fn map(&self, sealed: &[Sealed]) {
        if self.map_sealed {
            sealed.iter().for_each(|(segment, end)| segment.file.map((*end).into()));
        }
    }
}

impl Segments {
    /// The number of the segment that is written to.
    fn tail(&self) -> u64 {
        self.manifest.segments.last().map_or(0, |(number, _)| *number)
    }
}
