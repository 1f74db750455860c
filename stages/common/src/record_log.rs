//! The format of the log: one record a line, in JSON, so that `cat` shows what happened.
//!
//! ```text
//! {"Set":{"key":"k","value":"v"}}
//! {"Remove":{"key":"k"}}
//! ```
//!
//! A store has one log, `kvs-N.log`. Compaction writes the next one, `kvs-N+1.log`, under another name,
//! renames it when it is complete, and deletes the old one; so the highest number counts.

use crate::sync_points::{self, Point};
use crate::{KvsError, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// From here on `key` has `value`.
    Set {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// From here on `key` has no value.
    Remove {
        /// The key.
        key: String,
    },
}

/// Where a record is in a log, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// From the start of the file to the record's first byte.
    pub offset: u64,
    /// From the record's first byte to its newline, that included.
    pub len: u64,
}

impl Location {
    /// Where the next record starts.
    pub fn end(self) -> u64 {
        self.offset + self.len
    }

    /// A buffer that the record just fits in. Who asks for it is about to read the record.
    pub fn buffer(self) -> Vec<u8> {
        sync_points::reach(Point::Fetch);
        // A record was in memory when it was written, so its length fits in a `usize`.
        vec![0; self.len as usize]
    }
}

impl Record {
    /// The key, taken out.
    pub fn into_key(self) -> String {
        match self {
            Record::Set { key, .. } | Record::Remove { key } => key,
        }
    }

    /// The value, taken out; none if the record is a removal.
    pub fn into_value(self) -> Option<String> {
        match self {
            Record::Set { value, .. } => Some(value),
            Record::Remove { .. } => None,
        }
    }

    /// Reads a record from its line, which begins at this offset of that log.
    ///
    /// # Errors
    /// [`KvsError::Damaged`] if the bytes are not one whole line that a store has written.
    pub fn decode(line: &[u8], path: &Path, offset: u64) -> Result<Record> {
        sync_points::reach(Point::Read);
        let damaged = |reason| KvsError::Damaged { path: path.to_owned(), offset, reason };
        let body = line.strip_suffix(b"\n").ok_or("the record is cut short".to_owned());
        body.and_then(|body| serde_json::from_slice(body).map_err(|error| error.to_string()))
            .map_err(damaged)
    }
}

/// The log number `generation` of the store in `dir`.
pub fn path(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("kvs-{generation}.log"))
}

/// The numbers of the logs in `dir`, lowest first. More than one if a compaction was interrupted.
pub fn generations(dir: &Path) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(KvsError::at(dir))? {
        let found = entry.map_err(KvsError::at(dir))?.path();
        let name = found.file_name().and_then(|name| name.to_str());
        let number =
            name.and_then(|name| name.strip_prefix("kvs-")?.strip_suffix(".log")?.parse().ok());
        // `kvs-007.log` is a name that no store has given.
        numbers.extend(number.filter(|number| path(dir, *number) == found));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Opens a log, which is made if need be.
pub fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(KvsError::at(path))
}

/// A log that is being written.
pub struct NewLog<'a> {
    path: &'a Path,
    writer: BufWriter<&'a File>,
    end: u64,
}

impl NewLog<'_> {
    /// Appends a record by its line, and says where that is.
    pub fn push(&mut self, line: &[u8]) -> Result<Location> {
        self.writer.write_all(line).map_err(KvsError::at(self.path))?;
        let location = Location { offset: self.end, len: line.len() as u64 };
        self.end = location.end();
        Ok(location)
    }
}

/// Makes a new log of what `copy` pushes, under another name until it is complete and durable: the
/// log that it replaces is deleted next. Returns the log, and where its last record ends.
///
/// # Errors
/// If `copy` fails, or the disk does. Then there is no new log.
pub fn write_new(path: &Path, copy: impl FnOnce(&mut NewLog) -> Result<()>) -> Result<(File, u64)> {
    let unfinished = path.with_extension("log.tmp");
    let write = || {
        let log = open(&unfinished)?;
        log.set_len(0).map_err(KvsError::at(&unfinished))?;
        let mut new = NewLog { path: &unfinished, writer: BufWriter::new(&log), end: 0 };
        copy(&mut new)?;
        let synced = new.writer.flush().and_then(|()| log.sync_all());
        synced.map_err(KvsError::at(&unfinished))?;
        fs::rename(&unfinished, path).map_err(KvsError::at(path))?;
        let end = new.end;
        drop(new);
        Ok((log, end))
    };
    write().inspect_err(|_| {
        // What stays of it costs space until the next attempt.
        let _ = fs::remove_file(&unfinished);
    })
}

/// Deletes logs that a newer one has replaced, once the newer one's name is durable.
/// If that fails, they cost space until the next open, and nothing else.
pub fn delete_replaced(dir: &Path, generations: impl IntoIterator<Item = u64>) {
    let delete = || {
        File::open(dir)?.sync_all()?;
        generations.into_iter().try_for_each(|number| fs::remove_file(path(dir, number)))
    };
    if let Err(error) = delete() {
        log::warn!("{}: a replaced log cannot be deleted: {error}", dir.display());
    }
}

/// Appends a record to a log whose last record ends at `end`, with one write to the operating
/// system: what was acknowledged survives the end of the process, if not of the machine.
///
/// # Errors
/// If the write fails. Then the log is cut back to `end`: there is no half line for the next replay,
/// and no buffer that would write it later. The same `end` serves the next attempt.
pub fn append(path: &Path, log: &File, end: u64, record: &Record) -> Result<Location> {
    let mut line = serde_json::to_vec(record).map_err(|e| KvsError::Protocol(e.to_string()))?;
    line.push(b'\n');
    sync_points::reach(Point::Append);
    if let Err(error) = log.write_all_at(&line, end) {
        // If even this fails, the half line stays. What the next appends leave of it, the next replay
        // refuses.
        let _ = log.set_len(end);
        return Err(KvsError::at(path)(error));
    }
    Ok(Location { offset: end, len: line.len() as u64 })
}

/// Reads a log from its start and hands every record to `apply`, in the order of the writes.
/// Returns where the last one ends.
///
/// # Errors
/// [`KvsError::Damaged`] at the first byte of a line that is no record.
pub fn replay(path: &Path, log: &File, mut apply: impl FnMut(Record, Location)) -> Result<u64> {
    let mut reader = BufReader::new(log);
    let mut line = Vec::new();
    let mut offset = 0;
    loop {
        line.clear();
        let len = reader.read_until(b'\n', &mut line).map_err(KvsError::at(path))? as u64;
        if len == 0 {
            return Ok(offset);
        }
        apply(Record::decode(&line, path, offset)?, Location { offset, len });
        offset += len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn generations_are_sorted_as_numbers_and_other_files_are_passed_over() {
        let dir = TempDir::new().unwrap();
        for name in [
            "kvs-10.log",
            "kvs-9.log",
            "kvs-11.log.tmp",
            "engine",
            "kvs-x.log",
            "kvs-012.log",
            "2025.log",
        ] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(generations(dir.path()).unwrap(), [9, 10]);
    }
}
