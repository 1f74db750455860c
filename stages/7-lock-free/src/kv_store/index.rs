use kvs_common::record_log::{Location, Record};
use kvs_common::{KvsError, Result, Stats};
use papaya::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What readers and the writer share: where the newest record of each key is.
///
/// The map replaces an entry in one step, so a reader finds the old one or the new one, and never
/// none. The counters have one writer at a time. `Relaxed` suffices for them: each is read for its
/// own sake, nothing else is concluded from it.
#[derive(Default)]
pub(super) struct Index {
    pub(super) entries: HashMap<String, Entry>,
    pub(super) garbage_bytes: AtomicU64,
    pub(super) compactions: AtomicU64,
}

impl Index {
    pub(super) fn stats(&self) -> Stats {
        Stats {
            keys: self.entries.len() as u64,
            garbage_bytes: self.garbage_bytes.load(Ordering::Relaxed),
            compactions: self.compactions.load(Ordering::Relaxed),
        }
    }
}

/// A log, open for as long as an entry points into it or a reader reads in it. Compaction deletes
/// its name; the bytes stay readable for those who are in it already.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) path: PathBuf,
    pub(super) file: File,
}

/// All that a read needs: it opens no file and looks nothing else up.
pub(super) struct Entry {
    pub(super) log: Arc<Log>,
    pub(super) location: Location,
}

impl Entry {
    /// The record's line.
    pub(super) fn read(&self) -> Result<Vec<u8>> {
        let mut line = self.location.buffer();
        let read = self.log.file.read_exact_at(&mut line, self.location.offset);
        read.map_err(KvsError::at(&self.log.path))?;
        Ok(line)
    }

    /// The record's value.
    pub(super) fn value(&self) -> Result<Option<String>> {
        let record = Record::decode(&self.read()?, &self.log.path, self.location.offset)?;
        Ok(record.into_value())
    }
}
