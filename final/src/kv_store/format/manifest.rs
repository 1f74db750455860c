//! The manifest: which segments are the store, and in which order.
//!
//! A text file of lines, replaced as a whole and never changed in place:
//!
//! ```text
//! kvs manifest 2
//! since 1c0f4be4-96a2-4ff3-a0a0-5b8f0c9f7d5e 4294967340 65024 131077
//! next 12
//! segment 7 ends 67108801
//! segment 11 open
//! crc 8d3a1c02
//! ```
//!
//! `since` is the session of the disk in which this manifest was written (of the real one, the kernel's boot id
//! and the mount's number), and the device and the number of the manifest's own file. If all of it is so still,
//! nothing that was written since has been lost, durable or not, and the directory is no copy. An open replaces
//! the manifest if it isn't. The line is missing where the disk can't tell, and in format 1, which is
//! the same otherwise.
//!
//! `next` is the number for the next new segment. Every segment but the last has an end, in bytes;
//! the last has one if the store was closed in good order. The last line is the CRC-32 of those
//! before it. A segment that is not named here does not belong to the store.

use crate::disk::{Access, Dir, FileId};
use crate::{KvsError, Result};
use std::fmt::Write;
use std::io;

/// The file's name.
pub(crate) const NAME: &str = "MANIFEST";
/// The name while it is written.
pub(crate) const UNFINISHED: &str = "MANIFEST.new";
const VERSION: u32 = 2;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// What [`since`] was when it was written.
    pub(crate) since: Option<String>,
    /// The number for the next new segment; numbers are never used again.
    pub(crate) next: u64,
    /// The segments, oldest records first, each with its end if that is known.
    pub(crate) segments: Vec<(u64, Option<u32>)>,
}

/// Why the manifest could not be replaced.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The old one counts.
    Unchanged(KvsError),
    /// The old one or the new one counts; which, the next open will see.
    Unknown(KvsError),
}

impl WriteError {
    pub(crate) fn into_inner(self) -> KvsError {
        match self {
            WriteError::Unchanged(error) | WriteError::Unknown(error) => error,
        }
    }
}

/// In which session of the disk something is written to this file.
fn since(dir: &dyn Dir, FileId { device, number }: FileId) -> Option<String> {
    Some(format!("{} {device} {number}", dir.session()?))
}

impl Manifest {
    /// What it would say if the file that is there were written now; nothing if the disk can't tell.
    pub(crate) fn since_now(dir: &dyn Dir) -> Result<Option<String>> {
        let file = dir.id(NAME).map_err(KvsError::at(&dir.path().join(NAME)))?;
        Ok(since(dir, file))
    }

    /// Reads the manifest in `dir`; none if there is no such file.
    pub(crate) fn read(dir: &dyn Dir) -> Result<Option<Manifest>> {
        let path = dir.path().join(NAME);
        if !dir.list().map_err(KvsError::at(dir.path()))?.iter().any(|name| name == NAME) {
            return Ok(None);
        }
        let read = dir.open(NAME, Access::Read).and_then(|file| {
            let mut bytes = vec![0; file.len()? as usize];
            file.read_at(&mut bytes, 0)?;
            Ok(bytes)
        });
        let bytes = read.map_err(KvsError::at(&path))?;
        let text = String::from_utf8_lossy(&bytes);
        if let Some(version) = later_version(&text) {
            let found = format!("a store of format {version}");
            return Err(KvsError::Format { path, found });
        }
        match parse(&text) {
            Some(manifest) => Ok(Some(manifest)),
            None => {
                let reason = "the manifest is not as it was written".to_owned();
                Err(KvsError::Damaged { path, offset: 0, reason })
            }
        }
    }

    /// Replaces the manifest in `dir`, since now. It counts, and is durable, once this returns.
    pub(crate) fn write(&mut self, dir: &dyn Dir) -> std::result::Result<(), WriteError> {
        let (unfinished, path) = (dir.path().join(UNFINISHED), dir.path().join(NAME));
        let created = dir.create(UNFINISHED).or_else(|error| match error.kind() {
            // An earlier attempt failed.
            io::ErrorKind::AlreadyExists => {
                dir.remove(UNFINISHED).and_then(|()| dir.create(UNFINISHED))
            }
            _ => Err(error),
        });
        let written = created.and_then(|file| {
            self.since = since(dir, file.id()?);
            file.write_at(self.to_text().as_bytes(), 0)?;
            file.sync()
        });
        written.map_err(KvsError::at(&unfinished)).map_err(WriteError::Unchanged)?;
        if let Err(error) = dir.rename(UNFINISHED, NAME) {
            let unchanged = is_full(&error);
            let error = KvsError::at(&path)(error);
            return Err(match unchanged {
                true => WriteError::Unchanged(error),
                false => WriteError::Unknown(error),
            });
        }
        dir.sync().map_err(KvsError::at(dir.path())).map_err(WriteError::Unknown)
    }

    fn to_text(&self) -> String {
        let since = self.since.iter().map(|since| format!("since {since}\n")).collect::<String>();
        let mut text = format!("kvs manifest {VERSION}\n{since}next {}\n", self.next);
        for (number, end) in &self.segments {
            // Writing to a string does not fail.
            let _ = match end {
                Some(end) => writeln!(text, "segment {number} ends {end}"),
                None => writeln!(text, "segment {number} open"),
            };
        }
        let crc = crc32fast::hash(text.as_bytes());
        text + &format!("crc {crc:08x}\n")
    }
}

/// Whether there is no space: nothing was changed then.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The version in the first line, if it is later than ours and the checksum says it is no accident.
fn later_version(text: &str) -> Option<u32> {
    let version = text.lines().next()?.strip_prefix("kvs manifest ")?.parse().ok()?;
    (version > VERSION && body(text).is_some()).then_some(version)
}

/// The lines before the checksum, if that matches.
fn body(text: &str) -> Option<&str> {
    let start = text.trim_end_matches('\n').rfind('\n')? + 1;
    let (body, last) = text.split_at(start);
    (last == format!("crc {:08x}\n", crc32fast::hash(body.as_bytes()))).then_some(body)
}

fn parse(text: &str) -> Option<Manifest> {
    let mut lines = body(text)?.lines().skip(1).peekable();
    let since = lines.peek()?.strip_prefix("since ").map(str::to_owned);
    lines.next_if(|_| since.is_some());
    let next = lines.next()?.strip_prefix("next ")?.parse().ok()?;
    let mut segments = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        segments.push(match words[..] {
            ["segment", number, "ends", end] => (number.parse().ok()?, Some(end.parse().ok()?)),
            ["segment", number, "open"] => (number.parse().ok()?, None),
            _ => return None,
        });
    }
    let (_, all_but_last) = segments.split_last()?;
    // So the numbers that are still to come are all higher, and never overflow.
    let is_below = |(number, _): &(u64, Option<u32>)| *number < next && next < u64::MAX / 2;
    let is_valid =
        all_but_last.iter().all(|(_, end)| end.is_some()) && segments.iter().all(is_below);
    is_valid.then_some(Manifest { since, next, segments })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_read_and_the_second_is_written() {
        let first =
            "kvs manifest 1\nnext 12\nsegment 7 ends 67108801\nsegment 11 open\ncrc 378ed347\n";
        let second =
            first.replace("1\nnext", "2\nsince boot 3 4 5\nnext").replace("378ed347", "16c89aab");
        let segments = vec![(7, Some(67_108_801)), (11, None)];
        let mut manifest = Manifest { since: None, next: 12, segments };
        assert_eq!(parse(first).unwrap(), manifest);
        manifest.since = Some("boot 3 4 5".to_owned());
        assert_eq!((&parse(&second).unwrap(), manifest.to_text()), (&manifest, second.clone()));
        for next in [11, u64::MAX / 2, u64::MAX] {
            assert_eq!(parse(&Manifest { next, ..manifest.clone() }.to_text()), None, "{next}");
        }
    }
}
