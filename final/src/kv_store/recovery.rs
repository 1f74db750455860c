//! What happens when a store is opened: its segments are read from the first to the last, and the
//! index says for each key what the last record of it said.
//!
//! Every segment but the newest was synced before the manifest called it finished, so whatever is
//! wrong in it is damage. The newest one may end in a *torn tail*: what was being written when the process
//! or the power failed. It is truncated, and the log says so. What that can be depends on the session
//! (`manifest.rs`):
//!
//! - In the session in which the store was written, the operating system still has all that it was given. Only the
//!   last write can have ended early: behind whole records there is the beginning of one, and then
//!   nothing but zeros of reserved space. Everything else is damage. Of one record it can't be told that
//!   it is damaged: the last one, if that has changed its length or ends in a zero.
//! - After a restart, any part of what was not synced can be missing. But each record carries how far the
//!   segment was synced when it was written; so if a whole record behind the bad place knows that the bad
//!   place was durable before it, this is damage too. What no later record vouches for cannot be told
//!   from a torn tail and is truncated: at level `always` the last batch, at `interval` what came after the
//!   last sync that a write followed, at `os` the newest segment.
//!
//! Where the manifest names a segment's end, nothing was written behind it since: a segment is written to
//! only while the manifest calls it open, and is synced before it is called anything else. Zeros may
//! be there, of reserved space. Anything else means that the manifest is an older one than the segment.

use super::index::Index;
use super::manifest::{self, Manifest, WriteError};
use super::record::{self, Location};
use super::replay;
use super::segment::{self, Found, Scan, Segment};
use crate::disk::{Access, Dir, DiskFile};
use crate::{KvsError, Result};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// How much is read at a time where zeros are expected.
const CHUNK: u32 = 1 << 20;

/// See [`Room`].
const AHEAD: u64 = 64;

/// After how many records there is a first look at how many will come.
const FIRST_LOOK: u64 = 1 << 14;

/// A store's files as they were found.
pub(super) struct Files {
    pub(super) manifest: Manifest,
    /// In the manifest's order; the last one is written to.
    pub(super) segments: Vec<(Arc<Segment>, u32)>,
    /// Bytes at the end of the last segment that are no records, zeros not counted.
    pub(super) torn: u64,
    /// See [`leftovers`].
    pub(super) leftovers: BTreeMap<String, u64>,
}

/// Opens the store in `dir`, or makes an empty one. Fills `index`, which is empty.
///
/// It may be interrupted anywhere and run again: until the end it only truncates what the next run
/// would truncate as well, and deletes what the manifest does not name.
pub(super) fn open(dir: &dyn Dir, index: &Index) -> Result<Files> {
    let Some(manifest) = Manifest::read(dir)? else {
        return create(dir);
    };
    // It may have been renamed by a process that was killed before it made the name durable. What is
    // deleted and acknowledged from here on relies on it.
    dir.sync().map_err(KvsError::at(dir.path()))?;
    let is_restarted = manifest.since != Manifest::since_now(dir)?;
    let mut room = Room::new(dir, &manifest)?;
    let mut files = replay::fill(index, |apply| {
        read(dir, manifest, Access::Write, |found, segment| {
            if let Found::Record { len, .. } = found
                && let Some(more) = room.note(len, || index.entries.len())
            {
                index.entries.pin().reserve(more as usize);
            }
            apply(found, segment);
        })
    })?;
    if let Some((newest, end)) = files.segments.last() {
        if files.torn > 0 {
            let path = newest.path.display();
            log::warn!("{path}: {} bytes of a torn tail are truncated at byte {end}", files.torn);
        }
        clear_behind(&*newest.file, (*end).into()).map_err(KvsError::at(&newest.path))?;
    }
    // If it was closed in good order, its end is open again from now on.
    let end = files.manifest.segments.last_mut().and_then(|(_, end)| end.take());
    if end.is_some() || is_restarted {
        // Nothing is left that the power took, or the next open would refuse it.
        let mut manifest = files.manifest.clone();
        match manifest.write(dir) {
            Ok(()) => files.manifest = manifest,
            // On a full disk reads go on. It only says still that there was a restart.
            Err(WriteError::Unchanged(_)) if end.is_none() => {}
            Err(error) => return Err(error.into_inner()),
        }
    }
    remove(dir, &files.leftovers)?;
    Ok(files)
}

fn create(dir: &dyn Dir) -> Result<Files> {
    expect_no_store(dir)?;
    let nothing = Manifest { since: None, next: 1, segments: Vec::new() };
    remove(dir, &leftovers(dir, &nothing)?)?;
    let segment = Segment::create(dir, 1)?;
    let mut manifest = Manifest { since: None, next: 2, segments: vec![(1, None)] };
    manifest.write(dir).map_err(WriteError::into_inner)?;
    dir.warn_of_new_store();
    let segments = vec![(segment, segment::HEADER)];
    Ok(Files { manifest, segments, torn: 0, leftovers: BTreeMap::new() })
}

/// Where there is no manifest there never was a store, or it would be a loss to make a new one.
pub(super) fn expect_no_store(dir: &dyn Dir) -> Result<()> {
    for name in dir.list().map_err(KvsError::at(dir.path()))? {
        let path = dir.path().join(&name);
        if name.starts_with("kvs-") && name.ends_with(".log") {
            return Err(KvsError::Format { path, found: "a log in the stages' format".to_owned() });
        }
        // The first segment is made before the manifest; a crash between leaves it empty.
        if segment::number_of(&name).is_some() && !is_empty(dir, &name)? {
            let path = dir.path().join(manifest::NAME);
            let reason = "there are segments but no manifest".to_owned();
            return Err(KvsError::Damaged { path, offset: 0, reason });
        }
    }
    Ok(())
}

/// Whether a segment's file is no longer than its header, which is durable before anything else is written.
fn is_empty(dir: &dyn Dir, name: &str) -> Result<bool> {
    let len = dir.open(name, Access::Read).and_then(|file| file.len());
    Ok(len.map_err(KvsError::at(&dir.path().join(name)))? <= segment::HEADER.into())
}

/// Reads all records in their order and hands each to `apply`, with its segment. Changes nothing. Only
/// the last segment is opened as `access` says; the others are never written again.
///
/// # Errors
/// [`KvsError::Damaged`] at the first byte that is not as it was written.
pub(super) fn read(
    dir: &dyn Dir,
    manifest: Manifest,
    access: Access,
    mut apply: impl FnMut(Found<'_>, &Arc<Segment>),
) -> Result<Files> {
    let leftovers = leftovers(dir, &manifest)?;
    let now = Manifest::since_now(dir)?;
    let is_same_session = now.is_some() && now == manifest.since;
    let mut segments = Vec::with_capacity(manifest.segments.len());
    let mut torn = 0;
    let last = manifest.segments.last().map(|(number, _)| *number);
    for &(number, end) in &manifest.segments {
        let access = if Some(number) == last { access } else { Access::Read };
        let segment = Segment::open(dir, number, access)
            .map_err(|error| error.or_open_files(dir.path(), manifest.segments.len()))?;
        let len = segment.len()?;
        let Ok(len) = u32::try_from(len) else {
            return Err(segment.damaged(u32::MAX, "the segment is longer than one can be"));
        };
        let limit = end.unwrap_or(len);
        if len < limit {
            return Err(segment.damaged(len, "the segment is shorter than it was"));
        }
        let mut scan = Scan::new(&segment, limit);
        let end = loop {
            match scan.next()? {
                Found::End => break limit,
                Found::Invalid { offset, reason } => {
                    let is_torn = match is_same_session {
                        _ if end.is_some() => false,
                        true => is_unfinished(&segment, offset, limit)?,
                        false => !is_followed(&segment, offset, limit, offset + 1)?,
                    };
                    if !is_torn {
                        return Err(segment.damaged(offset, reason));
                    }
                    torn = torn_bytes(&segment, offset, limit)?;
                    break offset;
                }
                found => apply(found, &segment),
            }
        };
        if let Some(offset) = first_nonzero(&segment, limit, len)? {
            return Err(segment.damaged(offset, "the manifest says that the segment ends before"));
        }
        segments.push((segment, end));
    }
    Ok(Files { manifest, segments, torn, leftovers })
}

/// How much room the index needs while a store is read: a map that grows as it is filled is filled twice.
///
/// The records so far say how many will come, if those are as long. They may be longer; so there is room for
/// at most [`AHEAD`] times as many keys as were found.
struct Room {
    /// Bytes of all segments, and of those the ones that were read.
    bytes: u64,
    read: u64,
    records: u64,
    /// After how many records it looks next.
    next: u64,
}

impl Room {
    fn new(dir: &dyn Dir, manifest: &Manifest) -> Result<Room> {
        let mut bytes = 0;
        for (number, end) in &manifest.segments {
            bytes += match end {
                Some(end) => u64::from(*end),
                None => Segment::open(dir, *number, Access::Read)?.len()?,
            };
        }
        Ok(Room { bytes, read: 0, records: 0, next: FIRST_LOOK })
    }

    /// Takes note of a record of `len` bytes. Now and then returns for how many more keys there should be room.
    fn note(&mut self, len: u32, keys: impl FnOnce() -> usize) -> Option<u64> {
        (self.records, self.read) = (self.records + 1, self.read + u64::from(len));
        if self.records < self.next {
            return None;
        }
        self.next *= AHEAD;
        let to_come = self.bytes.saturating_sub(self.read) / (self.read / self.records);
        // The first batches of keys may still be on their way to the index.
        Some(to_come.min(AHEAD * FIRST_LOOK.max(keys() as u64)))
    }
}

/// Whether a write that ended early can have left what is at `bad`: the last byte of the record is missing,
/// or is a zero of reserved space, and nothing is behind it.
fn is_unfinished(segment: &Segment, bad: u32, end: u32) -> Result<bool> {
    let header = bytes(segment, bad, end.min(bad.saturating_add(record::HEADER as u32)))?;
    let len = record::decode_len(&header).unwrap_or(record::HEADER) as u32;
    let last = end.min(bad.saturating_add(len - 1));
    // The length may be what is damaged, and the record reach over those behind it.
    Ok(first_nonzero(segment, last, end)?.is_none() && !is_followed(segment, bad, end, 0)?)
}

/// Whether there is a whole record behind `bad` that was written when at `least` so much was synced.
fn is_followed(segment: &Segment, bad: u32, end: u32, least: u32) -> Result<bool> {
    let rest = bytes(segment, bad, end)?;
    // Whoever wrote the values chose what is here. Headers that lead to nothing must not make
    // this take for ever: it gives up after as much work as reading the rest so many times.
    let mut budget = 16 * rest.len();
    for start in 0..rest.len() {
        let (offset, bytes) = (bad + start as u32, &rest[start..]);
        let (Ok(len), Some(synced)) = (record::decode_len(bytes), record::decode_synced(bytes))
        else {
            continue;
        };
        if len > bytes.len() || synced < least || synced > offset {
            continue;
        }
        let Some(left) = budget.checked_sub(len) else {
            return Ok(false);
        };
        budget = left;
        if record::decode(bytes, Location { segment: segment.number, offset }).is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How many bytes from `bad` on are not just the zeros of reserved space.
fn torn_bytes(segment: &Segment, bad: u32, end: u32) -> Result<u64> {
    let rest = bytes(segment, bad, end)?;
    Ok(rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1))
}

/// The first byte that is more than a zero, between these offsets.
fn first_nonzero(segment: &Segment, from: u32, end: u32) -> Result<Option<u32>> {
    for start in (from..end).step_by(CHUNK as usize) {
        let bytes = bytes(segment, start, end.min(start.saturating_add(CHUNK)))?;
        if let Some(at) = bytes.iter().position(|byte| *byte != 0) {
            return Ok(Some(start + at as u32));
        }
    }
    Ok(None)
}

fn bytes(segment: &Segment, from: u32, end: u32) -> Result<Vec<u8>> {
    let mut bytes = vec![0; (end - from) as usize];
    segment.read_at(&mut bytes, from.into())?;
    Ok(bytes)
}

/// Truncates a file at `end`. What is before that must not vanish in the next power loss, and what the
/// last one left behind it must not come back.
///
/// The power can fail when bytes are on the disk that the file's length does not count yet. Nobody sees
/// them then. But when the file grows again, its new length can be durable before the new bytes are;
/// after a power loss at that moment the old ones are in their place, and they are whole records. It
/// was seen on ext4. A file system clears what is behind the end when a file is truncated; it is made
/// longer by a byte before, for one that does nothing where there is nothing to truncate.
fn clear_behind(file: &dyn DiskFile, end: u64) -> io::Result<()> {
    file.set_len(end + 1)?;
    file.set_len(end)?;
    file.sync()
}

/// The segments that the manifest does not name, by their files, with the number of records in each:
/// what an interrupted rotation or compaction left behind.
///
/// # Errors
/// [`KvsError::Damaged`] at a record that cannot be of these. A compaction copies each as written when
/// nothing was synced; where somebody else wrote one, a manifest had named the segment before, and its
/// number was below `next` from then on.
pub(super) fn leftovers(dir: &dyn Dir, manifest: &Manifest) -> Result<BTreeMap<String, u64>> {
    let mut leftovers = BTreeMap::new();
    for name in dir.list().map_err(KvsError::at(dir.path()))? {
        let is_named = |number| manifest.segments.iter().any(|(named, _)| *named == number);
        let Some(number) = segment::number_of(&name).filter(|number| !is_named(*number)) else {
            continue;
        };
        let mut records = 0;
        match Segment::open(dir, number, Access::Read) {
            Ok(segment) => {
                let mut scan = Scan::new(&segment, segment.len()?.min(u32::MAX.into()) as u32);
                while let Found::Record { record, offset, .. } = scan.next()? {
                    if number >= manifest.next && record.synced > 0 {
                        return Err(segment.damaged(offset, "the manifest is older than this"));
                    }
                    records += 1;
                }
            }
            Err(KvsError::Damaged { .. }) if is_empty(dir, &name)? => {}
            Err(error) => return Err(error),
        }
        leftovers.insert(name, records);
    }
    Ok(leftovers)
}

fn remove(dir: &dyn Dir, leftovers: &BTreeMap<String, u64>) -> Result<()> {
    for (name, records) in leftovers {
        let path = dir.path().join(name);
        dir.remove(name).map_err(KvsError::at(&path))?;
        if *records > 0 {
            let path = path.display();
            log::warn!("{path}: removed with {records} records; the manifest does not name it");
        }
    }
    match dir.remove(manifest::UNFINISHED) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(KvsError::at(&dir.path().join(manifest::UNFINISHED))(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_all_records_to_come_but_only_for_a_multiple_of_the_keys_found() {
        let rooms = |bytes, records| {
            let mut room = Room { bytes, read: 0, records: 0, next: FIRST_LOOK };
            (1..=records).filter_map(|keys| room.note(50, || keys)).collect::<Vec<_>>()
        };
        assert_eq!(rooms(50_000_000, 1_000_000), [1_000_000 - FIRST_LOOK]);
        // Here those to come are longer.
        assert_eq!(rooms(40 << 30, 42_420), [AHEAD * FIRST_LOOK]);
        assert_eq!(rooms(400 << 30, 2_000_000)[1], AHEAD * AHEAD * FIRST_LOOK);
    }
}
