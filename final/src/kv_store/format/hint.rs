//! A hint: what the index needs of a sealed segment, in a file beside it, so that an open need not read the values.
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | `KVSH` |
//! | 4..8 | version of the format, 1 |
//! | 8..16 | number of the segment |
//! | 16..20 | end of the segment |
//! | 20..24 | bytes 0..4 of the segment's first record: its checksum; 0 if there is none |
//! | 24..28 | the same of the last record |
//! | 28..32 | the longest value that is kept here, in bytes |
//! | 32..36 | number of records |
//! | 36.. | 11 bytes for each record of the segment, in their order: offset (4), length (4), length of the key (2), and 255 for a removal, 254 for a value that isn't kept, or the length of the value that is (1) |
//! | .. | the keys in that order, each with its value if that is kept, UTF-8 |
//! | last 4 | CRC-32 of the bytes before |
//!
//! Numbers are little-endian. A hint is written where it is at most an eighth as long as its segment, by the
//! compactor's thread, and isn't synced. Nothing depends on it: one that is missing, that was torn, damaged or
//! written by another version, or that belongs to another segment of that number, which the checksums of the
//! two records tell, is not used, and the segment is read instead.
//!
//! Where a hint is used, damage in the segment is found by the read of the value, by the compactor, and by
//! `kvs check`, and not by the open.

use super::record::Record;
use super::segment::{self, Segment};
use crate::disk::{Access, Dir};
use crate::kv_store::index::INLINE;
use crate::{KvsError, Result};
use std::io;

const MAGIC: &[u8; 4] = b"KVSH";
const VERSION: u32 = 1;
const HEADER: usize = 36;
/// Bytes for each record, but for its text.
const NOTE: usize = 11;
const CRC: usize = 4;

const REMOVED: u8 = 255;
const LONG: u8 = 254;

/// What is known of a record without its segment.
#[derive(Clone, Copy)]
pub(crate) struct Note<'a> {
    pub(crate) offset: u32,
    pub(crate) len: u32,
    pub(crate) key: &'a str,
    pub(crate) value: Value<'a>,
}

#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Removed,
    /// One that the index keeps.
    Kept(&'a str),
    Long,
}

impl<'a> Note<'a> {
    pub(crate) fn of(record: &Record<'a>, offset: u32, len: u32) -> Note<'a> {
        let value = match record.value {
            None => Value::Removed,
            Some(value) if value.len() <= INLINE => Value::Kept(value),
            Some(_) => Value::Long,
        };
        Note { offset, len, key: record.key, value }
    }

    /// How many bytes of a hint it takes.
    pub(crate) fn size(&self) -> usize {
        let value = if let Value::Kept(value) = self.value { value.len() } else { 0 };
        NOTE + self.key.len() + value
    }
}

/// The name of a segment's hint.
pub(crate) fn name(segment: u64) -> String {
    format!("{segment:010}.hint")
}

/// The number of the segment that a file of this name is the hint of.
pub(crate) fn number_of(file: &str) -> Option<u64> {
    let number = file.strip_suffix(".hint")?.parse().ok()?;
    (name(number) == file).then_some(number)
}

/// Deletes a segment's hint, if there is one.
pub(crate) fn remove(dir: &dyn Dir, segment: u64) -> Result<()> {
    match dir.remove(&name(segment)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(KvsError::at(&dir.path().join(name(segment)))(error))
        }
        _ => Ok(()),
    }
}

/// The notes of a segment's records, in their order.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Hint {
    notes: Vec<u8>,
    text: String,
}

impl Hint {
    pub(crate) fn push(&mut self, note: Note<'_>) {
        let (kind, value) = match note.value {
            Value::Removed => (REMOVED, ""),
            Value::Kept(value) => (value.len() as u8, value),
            Value::Long => (LONG, ""),
        };
        self.notes.extend(note.offset.to_le_bytes());
        self.notes.extend(note.len.to_le_bytes());
        self.notes.extend((note.key.len() as u16).to_le_bytes());
        self.notes.push(kind);
        self.text.push_str(note.key);
        self.text.push_str(value);
    }

    pub(crate) fn notes(&self) -> impl Iterator<Item = Note<'_>> {
        let mut text = &*self.text;
        let mut take = move |len: usize| {
            let (taken, rest) = text.split_at(len);
            text = rest;
            taken
        };
        self.notes.chunks_exact(NOTE).map(move |note| Note {
            offset: u32_at(note, 0),
            len: u32_at(note, 4),
            key: take(key_len(note)),
            value: match note[10] {
                REMOVED => Value::Removed,
                LONG => Value::Long,
                len => Value::Kept(take(len.into())),
            },
        })
    }

    /// The bytes of all notes.
    pub(crate) fn size(&self) -> usize {
        self.notes.len() + self.text.len()
    }

    /// What is in its file.
    pub(crate) fn encode(&self, segment: &Segment, end: u32) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(HEADER + self.size() + CRC);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(segment.number.to_le_bytes());
        bytes.extend(end.to_le_bytes());
        bytes.extend(self.fingerprint(segment)?);
        bytes.extend((INLINE as u32).to_le_bytes());
        bytes.extend(((self.notes.len() / NOTE) as u32).to_le_bytes());
        bytes.extend(&self.notes);
        bytes.extend(self.text.as_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        Ok(bytes)
    }

    /// The checksums of the first record and of the last one, as they are in the segment.
    fn fingerprint(&self, segment: &Segment) -> Result<[u8; 8]> {
        let mut found = [0; 8];
        let Some(last) = self.notes.chunks_exact(NOTE).next_back() else {
            return Ok(found);
        };
        let (first_crc, last_crc) = found.split_at_mut(4);
        segment.read_at(first_crc, segment::HEADER.into())?;
        segment.read_at(last_crc, u32_at(last, 0).into())?;
        Ok(found)
    }

    /// Reads a segment's hint; none if it has none.
    ///
    /// # Errors
    /// Why it is not to be used, in words.
    pub(crate) fn read(
        dir: &dyn Dir,
        segment: &Segment,
        end: u32,
    ) -> std::result::Result<Option<Hint>, String> {
        let read = || {
            let file = dir.open(&name(segment.number), Access::Read)?;
            let mut bytes = vec![0; file.len()? as usize];
            file.read_at(&mut bytes, 0).map(|()| bytes)
        };
        match read() {
            Ok(bytes) => Hint::decode(bytes, segment, end).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn decode(
        mut bytes: Vec<u8>,
        segment: &Segment,
        end: u32,
    ) -> std::result::Result<Hint, String> {
        if !is_whole(&bytes) {
            return Err("it is not as it was written".to_owned());
        }
        if (u32_at(&bytes, 4), u32_at(&bytes, 28)) != (VERSION, INLINE as u32) {
            return Err("another version wrote it".to_owned());
        }
        let notes_end = HEADER + u32_at(&bytes, 32) as usize * NOTE;
        let header = bytes[..HEADER].to_vec();
        bytes.truncate(bytes.len() - CRC);
        let text = (notes_end <= bytes.len()).then(|| bytes.split_off(notes_end));
        let text = text.and_then(|text| String::from_utf8(text).ok());
        let hint = Hint { notes: bytes.split_off(HEADER), text: text.unwrap_or_default() };
        if !hint.is_sound(end) {
            return Err("it contradicts itself".to_owned());
        }
        let fingerprint = hint.fingerprint(segment).map_err(|error| error.to_string())?;
        let is_ours = header[8..16] == segment.number.to_le_bytes()
            && u32_at(&header, 16) == end
            && header[20..28] == fingerprint;
        if is_ours { Ok(hint) } else { Err("it is of another segment".to_owned()) }
    }

    /// Whether its records are in the segment and one behind the other, and its notes fill the text.
    fn is_sound(&self, end: u32) -> bool {
        let (mut offset, mut at) = (u64::from(segment::HEADER), 0);
        for note in self.notes.chunks_exact(NOTE) {
            let kept = if note[10] >= LONG { 0 } else { usize::from(note[10]) };
            let ends = [at + key_len(note), at + key_len(note) + kept];
            // Between them are the headers of batches.
            let start = u64::from(u32_at(note, 0));
            if start < offset || !ends.iter().all(|end| self.text.is_char_boundary(*end)) {
                return false;
            }
            (offset, at) = (start + u64::from(u32_at(note, 4)), ends[1]);
        }
        offset <= end.into() && at == self.text.len()
    }
}

/// Whether a hint with so many bytes of notes is short enough: at most so many eighths of the segment that ends here.
pub(crate) fn pays(size: usize, end: u32, eighths: u32) -> bool {
    8 * (HEADER + size + CRC) as u64 <= u64::from(end) * u64::from(eighths)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn key_len(note: &[u8]) -> usize {
    u16::from_le_bytes([note[8], note[9]]).into()
}

/// Whether it is a hint with the right checksum.
fn is_whole(bytes: &[u8]) -> bool {
    let body = bytes.len().checked_sub(CRC).filter(|body| *body >= HEADER);
    body.is_some_and(|body| {
        bytes.starts_with(MAGIC) && crc32fast::hash(&bytes[..body]) == u32_at(bytes, body)
    })
}

/// Writes a segment's hint.
pub(crate) fn write(dir: &dyn Dir, segment: u64, bytes: &[u8]) -> Result<()> {
    // One that was not used, or that was not written to its end.
    remove(dir, segment)?;
    let written = dir.create(&name(segment)).and_then(|file| file.write_at(bytes, 0));
    written.map_err(KvsError::at(&dir.path().join(name(segment))))
}

/// Compares a segment's hint, if it has one, with what it should be. Returns why it isn't used, if it isn't.
///
/// # Errors
/// [`KvsError::Damaged`] if it would be used and says something else.
pub(crate) fn check(
    dir: &dyn Dir,
    segment: &Segment,
    end: u32,
    expected: &Hint,
) -> Result<Option<String>> {
    let found = match Hint::read(dir, segment, end) {
        Ok(Some(found)) if found != *expected => found,
        Ok(_) => return Ok(None),
        Err(reason) => return Ok(Some(reason)),
    };
    let same = found.notes.iter().zip(&expected.notes).take_while(|(a, b)| a == b).count();
    let (path, reason) = (dir.path().join(name(segment.number)), "it disagrees with its segment");
    Err(KvsError::Damaged { path, offset: (HEADER + same) as u64, reason: reason.to_owned() })
}
