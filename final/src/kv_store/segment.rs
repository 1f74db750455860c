//! A segment: one file of the log.
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | `KVSG` |
//! | 4..8 | version of the format, 2; 1 if there are no batches in it |
//! | 8..16 | number of the segment |
//! | 16..20 | CRC-32 of the bytes before |
//! | 20.. | records |
//!
//! A record is read with one `pread`, or with none where its segment is sealed and mapped (`disk/mapped.rs`).

use super::hint;
use super::record::{self, Location, Record};
use crate::disk::{Access, Dir, DiskFile, FileId};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::{KvsError, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes before the first record.
pub(super) const HEADER: u32 = 20;
const MAGIC: &[u8; 4] = b"KVSG";
/// Version 1 has no batches.
const VERSION: u32 = 2;
/// How much of a segment is read at a time when it is read from its start.
const CHUNK: usize = 1 << 20;
/// More garbage than there can be: the segment was replaced.
const GONE: u64 = 1 << 63;

/// An open segment. It stays open, and its bytes readable, for as long as a reader has it, whatever has become
/// of its name.
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) file: Box<dyn DiskFile>,
    /// Whether it is of the newest format. No more records go into an older one.
    pub(super) is_current: bool,
    id: FileId,
    /// Whether nothing is left to do for its hint: there is one, it would not pay, or it could not be written.
    /// Set by the loader and by the compactor, of which there is one at a time: `Relaxed`.
    pub(super) is_hinted: AtomicBool,
    /// Bytes of records that no index entry points to. Each is added once, by the thread that took the entry away
    /// or published the removal, after it has done so, with `Release`. The compactor loads it with
    /// `Acquire` and sees the index without all the entries whose records are in the sum: if that is all
    /// records, it deletes the segment unread.
    garbage: AtomicU64,
    /// Those of them that are removals. Added before `garbage`.
    removals: AtomicU64,
}

/// The name of a segment's file.
pub(super) fn name(number: u64) -> String {
    format!("{number:010}.seg")
}

/// The number of the segment that a file of this name is.
pub(super) fn number_of(file: &str) -> Option<u64> {
    let number = file.strip_suffix(".seg")?.parse().ok()?;
    (name(number) == file).then_some(number)
}

impl Segment {
    fn new(number: u64, path: PathBuf, file: Box<dyn DiskFile>) -> Result<Segment> {
        let id = file.id().map_err(KvsError::at(&path))?;
        Ok(Segment {
            number,
            path,
            file,
            is_current: true,
            id,
            is_hinted: AtomicBool::new(false),
            garbage: AtomicU64::new(0),
            removals: AtomicU64::new(0),
        })
    }

    /// Makes an empty segment. Its header and its name are durable when this returns.
    pub(super) fn create(dir: &dyn Dir, number: u64) -> Result<Arc<Segment>> {
        let name = name(number);
        let path = dir.path().join(&name);
        let file = dir.create(&name).map_err(KvsError::at(&path))?;
        let written = file.write_at(&header(number, VERSION), 0).and_then(|()| file.sync());
        let written = written.map_err(KvsError::at(&path));
        if let Err(error) = written.and_then(|()| dir.sync().map_err(KvsError::at(dir.path()))) {
            // The next open would delete it as well.
            let _ = dir.remove(&name);
            return Err(error);
        }
        Ok(Arc::new(Segment::new(number, path, file)?))
    }

    /// Opens a segment that exists.
    pub(super) fn open(dir: &dyn Dir, number: u64, access: Access) -> Result<Arc<Segment>> {
        let path = dir.path().join(name(number));
        let file = dir.open(&name(number), access).map_err(KvsError::at(&path))?;
        let mut segment = Segment::new(number, path, file)?;
        let mut found = [0; HEADER as usize];
        if segment.len()? < found.len() as u64 {
            return Err(segment.damaged(0, "the segment's header is cut short"));
        }
        segment.read_at(&mut found, 0)?;
        let version = u32::from_le_bytes([found[4], found[5], found[6], found[7]]);
        if found[..4] == *MAGIC && version > VERSION && found[16..] == checksum(&found) {
            let what = format!("a segment of format {version}");
            return Err(KvsError::Format { path: segment.path, found: what });
        }
        if !(1..=VERSION).any(|version| found == header(number, version)) {
            return Err(segment.damaged(0, "the segment's header is not as it was written"));
        }
        segment.is_current = version == VERSION;
        Ok(Arc::new(segment))
    }

    /// Sees that it is still in the directory under its name. What was deleted, by itself or with its
    /// directory, is not there for the next open.
    pub(super) fn see_in(&self, dir: &dyn Dir) -> Result<()> {
        dir.see(&name(self.number), self.id).map_err(KvsError::at(&self.path))
    }

    /// Takes its name away, if that is still its own, and deletes its hint.
    pub(super) fn remove(&self, dir: &dyn Dir) {
        let remove = || {
            dir.remove(&name(self.number)).map_err(KvsError::at(&self.path))?;
            hint::remove(dir, self.number)
        };
        if let Err(error) = self.see_in(dir).and_then(|()| remove()) {
            // It costs space, until the next open deletes it.
            log::warn!("a segment cannot be deleted: {error}");
        }
    }

    pub(super) fn len(&self) -> Result<u64> {
        self.file.len().map_err(KvsError::at(&self.path))
    }

    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_at(buffer, offset).map_err(KvsError::at(&self.path))
    }

    /// Reads the record of `len` bytes at `offset` and hands it to `take`.
    pub(super) fn read_record<T>(
        &self,
        offset: u32,
        len: u32,
        take: impl FnOnce(Record<'_>) -> T,
    ) -> Result<T> {
        let mut bytes = vec![0; len as usize];
        self.read_at(&mut bytes, offset.into())?;
        let location = Location { segment: self.number, offset };
        match record::decode(&bytes, location) {
            Ok((record, _)) => Ok(take(record)),
            Err(reason) => Err(self.damaged(offset, reason)),
        }
    }

    pub(super) fn damaged(&self, offset: u32, reason: &str) -> KvsError {
        let (path, offset) = (self.path.clone(), u64::from(offset));
        KvsError::Damaged { path, offset, reason: reason.to_owned() }
    }

    pub(super) fn garbage(&self) -> u64 {
        self.garbage.load(Ordering::Acquire)
    }

    pub(super) fn removals(&self) -> u64 {
        self.removals.load(Ordering::Relaxed)
    }

    /// Its bytes of garbage, which from now on count no more.
    pub(super) fn take_garbage(&self) -> u64 {
        self.garbage.swap(GONE, Ordering::Relaxed)
    }

    /// Returns whether they count.
    pub(super) fn add_garbage(&self, bytes: u32) -> bool {
        self.garbage.fetch_add(bytes.into(), Ordering::Release) < GONE
    }

    /// The same for the record of a removal.
    pub(super) fn add_removal(&self, bytes: u32) -> bool {
        self.removals.fetch_add(bytes.into(), Ordering::Relaxed);
        self.add_garbage(bytes)
    }
}

fn header(number: u64, version: u32) -> [u8; HEADER as usize] {
    let mut header = [0; HEADER as usize];
    header[..4].copy_from_slice(MAGIC);
    header[4..8].copy_from_slice(&version.to_le_bytes());
    header[8..16].copy_from_slice(&number.to_le_bytes());
    let crc = checksum(&header);
    header[16..].copy_from_slice(&crc);
    header
}

fn checksum(header: &[u8; HEADER as usize]) -> [u8; 4] {
    crc32fast::hash(&header[..16]).to_le_bytes()
}

/// Reads a segment's records in their order, up to `end`; of a batch, those in it once all of it was seen.
pub(super) struct Scan<'a> {
    segment: &'a Segment,
    /// The next record's offset.
    offset: u32,
    end: u32,
    buffer: Vec<u8>,
    /// The offset of the buffer's first byte.
    start: u32,
    /// Where the last batch ends, which was seen to be whole.
    batch_end: u32,
    /// How much is read at a time.
    chunk: usize,
}

/// What a [`Scan`] found.
pub(super) enum Found<'a> {
    /// A record, where it is and how long it is.
    Record { record: Record<'a>, location: Location, len: u32 },
    /// The end.
    End,
    /// Something that is no record.
    Invalid { offset: u32, reason: &'static str },
}

impl<'a> Scan<'a> {
    pub(super) fn new(segment: &'a Segment, end: u32) -> Scan<'a> {
        Scan::resume(segment, (HEADER, 0), end, CHUNK)
    }

    /// Goes on at the position that another one had, and reads so much at a time.
    pub(super) fn resume(
        segment: &'a Segment,
        (offset, batch_end): (u32, u32),
        end: u32,
        chunk: usize,
    ) -> Scan<'a> {
        Scan { segment, offset, end, buffer: Vec::new(), start: offset, batch_end, chunk }
    }

    /// Where the next record is, or what is there instead; and where the batch ends, if that is in one.
    pub(super) fn position(&self) -> (u32, u32) {
        (self.offset, self.batch_end)
    }

    /// The next record. After anything else there is nothing more to come.
    pub(super) fn next(&mut self) -> Result<Found<'_>> {
        while self.offset != self.end && self.offset >= self.batch_end {
            let offset = self.offset;
            self.fill(record::HEADER)?;
            let len = match record::decode_len(self.rest()) {
                Ok(len) => len,
                Err(reason) => return Ok(Found::Invalid { offset, reason }),
            };
            self.fill(len)?;
            if !record::is_batch(self.rest()) {
                break;
            }
            let location = Location { segment: self.segment.number, offset };
            if let Err(reason) = record::decode_whole(self.rest(), location) {
                return Ok(Found::Invalid { offset, reason });
            }
            self.batch_end = offset + len as u32;
            self.offset += record::HEADER as u32;
        }
        let offset = self.offset;
        if offset == self.end {
            return Ok(Found::End);
        }
        // In the buffer already, unless it is in a batch whose beginning another scan has read.
        self.fill(record::HEADER)?;
        self.fill(record::len_in_batch(self.rest()))?;
        let location = Location { segment: self.segment.number, offset };
        let rest = &self.buffer[(offset - self.start) as usize..];
        Ok(match record::decode(rest, location) {
            Ok((record, len)) => {
                self.offset += len as u32;
                Found::Record { record, location, len: len as u32 }
            }
            Err(reason) => Found::Invalid { offset, reason },
        })
    }

    /// The next record, where it is, and how long it is. None at the end.
    ///
    /// # Errors
    /// [`KvsError::Damaged`] at something that is no record.
    pub(super) fn next_whole(&mut self) -> Result<Option<(Record<'_>, Location, u32)>> {
        let segment = self.segment;
        match self.next()? {
            Found::Record { record, location, len } => Ok(Some((record, location, len))),
            Found::End => Ok(None),
            Found::Invalid { offset, reason } => Err(segment.damaged(offset, reason)),
        }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[(self.offset - self.start) as usize..]
    }

    /// Has at least `len` bytes of the rest in the buffer, or all that there are.
    fn fill(&mut self, len: usize) -> Result<()> {
        let left = (self.end - self.offset) as usize;
        if self.rest().len() >= len.min(left) {
            return Ok(());
        }
        self.buffer.resize(len.max(self.chunk).min(left), 0);
        self.start = self.offset;
        self.segment.read_at(&mut self.buffer, self.start.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk, SimulatedDisk};
    use std::path::Path;

    #[test]
    fn garbage_in_a_segment_that_was_replaced_does_not_count() {
        let dir = SimulatedDisk::new().claim(Path::new("/"), Access::Write).unwrap();
        let segment = Segment::create(&*dir, 1).unwrap();
        assert!(segment.add_garbage(20) && segment.add_garbage(30));
        assert_eq!((segment.garbage(), segment.take_garbage()), (50, 50));
        // A writer that had replaced an entry before, and says so only now.
        assert!(!segment.add_garbage(20) && !segment.add_garbage(20));
    }
}
