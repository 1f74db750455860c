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
use std::sync::{Arc, OnceLock};

/// Bytes before the first record.
pub(crate) const HEADER: u32 = 20;
const MAGIC: &[u8; 4] = b"KVSG";
/// Version 1 has no batches.
const VERSION: u32 = 2;
/// More garbage than there can be: the segment was replaced.
const GONE: u64 = 1 << 63;

/// An open segment. It stays open, and its bytes readable, for as long as a reader has it, whatever has become
/// of its name.
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Box<dyn DiskFile>,
    /// Whether it is of the newest format. No more records go into an older one.
    pub(crate) is_current: bool,
    id: FileId,
    /// Whether nothing is left to do for its hint: there is one, it would not pay, or it could not be written.
    /// Set by the loader and by the compactor, of which there is one at a time: `Relaxed`.
    pub(crate) is_hinted: AtomicBool,
    /// Why the compactor can't read it. It leaves the segment as it is then, until the next open.
    /// Set by the compactor, of which there is one at a time, and nothing depends on when another thread sees it: so
    /// it's the standard library's in the models, too.
    pub(crate) unreadable: OnceLock<KvsError>,
    /// Bytes of records that no index entry points to. Each is added once, by the thread that took the entry away
    /// or published the removal, after it has done so, with `Release`. The compactor loads it with
    /// `Acquire` and sees the index without all the entries whose records are in the sum: if that is all
    /// records, it deletes the segment unread.
    garbage: AtomicU64,
    /// Those of them that are removals. Added before `garbage`.
    removals: AtomicU64,
}

/// The name of a segment's file.
pub(crate) fn name(number: u64) -> String {
    format!("{number:010}.seg")
}

/// The number of the segment that a file of this name is.
pub(crate) fn number_of(file: &str) -> Option<u64> {
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
            unreadable: OnceLock::new(),
            garbage: AtomicU64::new(0),
            removals: AtomicU64::new(0),
        })
    }

    /// Makes an empty segment. Its header and its name are durable when this returns.
    pub(crate) fn create(dir: &dyn Dir, number: u64) -> Result<Arc<Segment>> {
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
    pub(crate) fn open(dir: &dyn Dir, number: u64, access: Access) -> Result<Arc<Segment>> {
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
    pub(crate) fn see_in(&self, dir: &dyn Dir) -> Result<()> {
        dir.see(&name(self.number), self.id).map_err(KvsError::at(&self.path))
    }

    /// Takes its name away, if that is still its own, and deletes its hint.
    pub(crate) fn remove(&self, dir: &dyn Dir) {
        let remove = || {
            dir.remove(&name(self.number)).map_err(KvsError::at(&self.path))?;
            hint::remove(dir, self.number)
        };
        if let Err(error) = self.see_in(dir).and_then(|()| remove()) {
            // It costs space, until the next open deletes it.
            log::warn!("a segment cannot be deleted: {error}");
        }
    }

    pub(crate) fn len(&self) -> Result<u64> {
        self.file.len().map_err(KvsError::at(&self.path))
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_at(buffer, offset).map_err(KvsError::at(&self.path))
    }

    /// Reads the record of `len` bytes at `offset` and hands it to `take`.
    pub(crate) fn read_record<T>(
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

    pub(crate) fn damaged(&self, offset: u32, reason: &str) -> KvsError {
        let (path, offset) = (self.path.clone(), u64::from(offset));
        KvsError::Damaged { path, offset, reason: reason.to_owned() }
    }

    pub(crate) fn garbage(&self) -> u64 {
        self.garbage.load(Ordering::Acquire)
    }

    pub(crate) fn removals(&self) -> u64 {
        self.removals.load(Ordering::Relaxed)
    }

    /// Its bytes of garbage, which from now on count no more.
    pub(crate) fn take_garbage(&self) -> u64 {
        self.garbage.swap(GONE, Ordering::Relaxed)
    }

    /// Returns whether they count.
    pub(crate) fn add_garbage(&self, bytes: u32) -> bool {
        self.garbage.fetch_add(bytes.into(), Ordering::Release) < GONE
    }

    /// The same for the record of a removal.
    pub(crate) fn add_removal(&self, bytes: u32) -> bool {
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
