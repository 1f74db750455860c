//! What happens when a store is opened: its files are opened, its segments are read from the first to the
//! last, and the loader (`loader.rs`) puts what they say into the index.
//!
//! What is wrong in a segment is damage, and the open fails; or it is a torn tail (`torn_tail.rs`) of the
//! newest one, which is truncated, and the log says so.

pub(crate) mod check;
mod loader;
mod orphans;
pub(crate) mod salvage;
mod torn_tail;

use crate::disk::{Access, Dir, DiskFile};
use crate::kv_store::format::{
    Found, Hint, Location, Manifest, Record, Scan, Segment, WriteError, hint, segment,
};
use crate::kv_store::index::Index;
use crate::kv_store::log::catalog::Sealed;
use crate::{KvsError, Result};
use orphans::{Orphans, expect_no_store, find_orphans, remove_orphans};
use std::io;
use torn_tail::{first_nonzero, is_torn, torn_bytes};

/// A store's files as they were found.
pub(crate) struct Files {
    pub(crate) manifest: Manifest,
    /// In the manifest's order, each with its end; the last one is written to.
    pub(crate) segments: Vec<Sealed>,
    /// Bytes of a torn tail at the end of the last segment, once that was read.
    pub(crate) torn: u64,
    pub(crate) orphans: Orphans,
    /// Whether nothing that was written can have been lost since.
    is_same_session: bool,
}

/// Opens the store in `dir`, or makes an empty one. Fills `index`, which is empty.
///
/// It may be interrupted anywhere and run again: until the end it only truncates what the next run
/// would truncate as well, and deletes what the manifest does not name.
pub(crate) fn open(dir: &dyn Dir, index: &Index, hint_eighths: u32) -> Result<Files> {
    let Some(manifest) = Manifest::read(dir)? else {
        return create(dir);
    };
    // It may have been renamed by a process that was killed before it made the name durable. What is
    // deleted and acknowledged from here on relies on it.
    dir.sync().map_err(KvsError::at(dir.path()))?;
    let is_restarted = manifest.since != Manifest::since_now(dir)?;
    let mut files = Files::open(dir, manifest, Access::Write)?;
    loader::fill(index, dir, &mut files, hint_eighths)?;
    if let Some((newest, end)) = files.segments.last() {
        if files.torn > 0 {
            let path = newest.path.display();
            log::warn!("{path}: {} bytes of a torn tail are truncated at byte {end}", files.torn);
        }
        truncate_to_end(&*newest.file, (*end).into()).map_err(KvsError::at(&newest.path))?;
    }
    // If it was closed in good order, its end is open again from now on.
    let mut manifest = files.manifest.clone();
    let end = manifest.segments.last_mut().and_then(|(_, end)| end.take());
    if end.is_some() || is_restarted {
        // Nothing is left that the power took, or the next open would refuse it.
        match manifest.write(dir) {
            Ok(()) => files.manifest = manifest,
            // On a full disk reads go on. It only says still that there was a restart, or that the store was closed:
            // then no record goes into that segment.
            Err(WriteError::Unchanged(_)) => {}
            Err(error) => return Err(error.into_inner()),
        }
    }
    remove_orphans(dir, &files.orphans)?;
    Ok(files)
}

fn create(dir: &dyn Dir) -> Result<Files> {
    expect_no_store(dir)?;
    let nothing = Manifest { since: None, next: 1, segments: Vec::new() };
    remove_orphans(dir, &find_orphans(dir, &nothing)?)?;
    let segment = Segment::create(dir, 1)?;
    let mut manifest = Manifest { since: None, next: 2, segments: vec![(1, None)] };
    manifest.write(dir).map_err(WriteError::into_inner)?;
    dir.warn_of_new_store();
    let segments = vec![(segment, segment::HEADER)];
    Ok(Files { manifest, segments, torn: 0, orphans: Orphans::default(), is_same_session: true })
}

impl Files {
    /// Opens the files that the manifest names, and changes nothing. Only the last segment is opened as `access`
    /// says; the others are never written again.
    ///
    /// # Errors
    /// [`KvsError::Damaged`] if a segment does not end where the manifest says.
    pub(crate) fn open(dir: &dyn Dir, manifest: Manifest, access: Access) -> Result<Files> {
        let orphans = find_orphans(dir, &manifest)?;
        let now = Manifest::since_now(dir)?;
        let is_same_session = now.is_some() && now == manifest.since;
        let mut segments = Vec::with_capacity(manifest.segments.len());
        for &(number, end) in &manifest.segments {
            let is_last = segments.len() + 1 == manifest.segments.len();
            let access = if is_last { access } else { Access::Read };
            let segment = Segment::open(dir, number, access)
                .map_err(|error| error.or_open_files(dir.path(), manifest.segments.len()))?;
            let Ok(len) = u32::try_from(segment.len()?) else {
                return Err(segment.damaged(u32::MAX, "the segment is longer than one can be"));
            };
            let end = end.unwrap_or(len);
            if len < end {
                return Err(segment.damaged(len, "the segment is shorter than it was"));
            }
            if let Some(offset) = first_nonzero(&segment, end, len)? {
                let reason = "the manifest says that the segment ends before";
                return Err(segment.damaged(offset, reason));
            }
            segments.push((segment, end));
        }
        Ok(Files { manifest, segments, torn: 0, orphans, is_same_session })
    }

    /// How many bytes there are in all segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|(_, end)| u64::from(*end)).sum()
    }

    /// The hint of a sealed segment, by its place in the order, if there is one to use.
    pub(crate) fn hint(&mut self, dir: &dyn Dir, place: usize) -> Option<Hint> {
        let (segment, end) = &self.segments[place];
        if place + 1 == self.segments.len() {
            return None;
        }
        Hint::read(dir, segment, *end).unwrap_or_else(|reason| {
            let path = dir.path().join(hint::name(segment.number));
            log::warn!("{}: not used, the segment is read: {reason}", path.display());
            self.orphans.hints.push(segment.number);
            None
        })
    }

    /// Reads a segment, by its place in the order.
    pub(crate) fn records(&mut self, place: usize) -> Records<'_> {
        let may_be_torn = self.manifest.segments[place].1.is_none();
        let (segment, end) = &mut self.segments[place];
        Records {
            segment,
            scan: Scan::new(segment, *end),
            may_be_torn,
            is_same_session: self.is_same_session,
            end,
            torn: &mut self.torn,
        }
    }
}

/// Reads a segment's records in their order, and judges its end.
pub(crate) struct Records<'a> {
    segment: &'a Segment,
    scan: Scan<'a>,
    may_be_torn: bool,
    is_same_session: bool,
    /// Where the segment ends; moved to where a torn tail begins.
    end: &'a mut u32,
    torn: &'a mut u64,
}

impl Records<'_> {
    /// The next record, where it is, and how long it is. None at the end.
    ///
    /// # Errors
    /// [`KvsError::Damaged`] at the first byte that is not as it was written.
    pub(crate) fn next(&mut self) -> Result<Option<(Record<'_>, Location, u32)>> {
        let Records { segment, end, .. } = self;
        let (offset, reason) = match self.scan.next()? {
            Found::Record { record, location, len } => return Ok(Some((record, location, len))),
            Found::End => return Ok(None),
            Found::Invalid { offset, reason } => (offset, reason),
        };
        if !self.may_be_torn || !is_torn(segment, offset, **end, self.is_same_session)? {
            return Err(segment.damaged(offset, reason));
        }
        *self.torn = torn_bytes(segment, offset, **end)?;
        **end = offset;
        Ok(None)
    }
}

/// Truncates a file at `end`. What is before that must not vanish in the next power loss, and what the
/// last one left behind it must not come back.
///
/// The power can fail when bytes are on the disk that the file's length does not count yet. Nobody sees
/// them then. But when the file grows again, its new length can be durable before the new bytes are;
/// after a power loss at that moment the old ones are in their place, and they are whole records. It
/// was seen on ext4. A file system clears what is behind the end when a file is truncated; it is made
/// longer by a byte before, for one that does nothing where there is nothing to truncate.
fn truncate_to_end(file: &dyn DiskFile, end: u64) -> io::Result<()> {
    file.set_len(end + 1)?;
    file.set_len(end)?;
    file.sync()
}
