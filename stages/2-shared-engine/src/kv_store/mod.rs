use crate::KvsEngine;
use kvs_common::record_log::{self, Location, Record};
use kvs_common::{DataDir, EngineKind, KvsError, Result, Stats};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Compaction waits for this many bytes of garbage, and for half of the log to be garbage.
const MIN_GARBAGE_BYTES: u64 = 1 << 20;

/// A store whose values are in a log on disk and whose keys are in memory. Its clones are the same
/// store.
///
/// The lock protects the whole store, for each operation from start to end: the log's cursor, its
/// end, the index and the counters belong together.
#[derive(Clone)]
pub struct KvStore(Arc<Mutex<SharedKvStore>>);

/// What the clones share.
///
/// A write appends a record to the log; the index says where the newest record of each key is.
/// Records that no index entry points to are garbage, and compaction drops them.
struct SharedKvStore {
    dir: DataDir,
    generation: u64,
    path: PathBuf,
    log: File,
    /// Where the last record ends; the next one is written here.
    end: u64,
    index: HashMap<String, Location>,
    /// How many bytes of garbage the next compaction waits for.
    compact_at: u64,
    stats: Stats,
}

impl KvStore {
    /// Opens the store in a directory, which is made if need be.
    ///
    /// # Errors
    /// If the directory is in use or another engine's, if the log is damaged, if the disk fails.
    pub fn open(dir: impl Into<PathBuf>) -> Result<KvStore> {
        Ok(KvStore(Arc::new(Mutex::new(SharedKvStore::open(dir.into())?))))
    }

    /// What the store says about itself.
    pub fn stats(&self) -> Stats {
        self.lock().stats()
    }

    /// Takes the lock. A thread that panicked while it held it does no harm: each operation changes
    /// memory last, after everything that can fail, so the store is as it was before.
    fn lock(&self) -> MutexGuard<'_, SharedKvStore> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KvsEngine for KvStore {
    fn set(&self, key: String, value: String) -> Result<()> {
        self.lock().set(key, value)
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        self.lock().get(key)
    }

    fn remove(&self, key: String) -> Result<()> {
        self.lock().remove(key)
    }
}

impl SharedKvStore {
    fn open(dir: PathBuf) -> Result<SharedKvStore> {
        let dir = DataDir::open(dir, EngineKind::Kvs)?;
        let mut generations = record_log::generations(dir.path())?;
        let generation = generations.pop().unwrap_or(1);
        let path = record_log::path(dir.path(), generation);
        let log = record_log::open(&path)?;

        let mut index = HashMap::new();
        let mut stats = Stats::default();
        let end = record_log::replay(&path, &log, |record, location| {
            let replaced = match record {
                Record::Set { key, .. } => index.insert(key, location),
                Record::Remove { key } => {
                    stats.garbage_bytes += location.len;
                    index.remove(&key)
                }
            };
            stats.garbage_bytes += replaced.map_or(0, |old| old.len);
        })?;
        // A compaction that was interrupted after its last write left the old log behind.
        record_log::delete_replaced(dir.path(), generations);
        let compact_at = MIN_GARBAGE_BYTES;
        Ok(SharedKvStore { dir, generation, path, log, end, index, compact_at, stats })
    }

    fn stats(&self) -> Stats {
        Stats { keys: self.index.len() as u64, ..self.stats }
    }

    fn set(&mut self, key: String, value: String) -> Result<()> {
        let record = Record::Set { key, value };
        let location = self.append(&record)?;
        if let Some(old) = self.index.insert(record.into_key(), location) {
            self.stats.garbage_bytes += old.len;
        }
        self.compact_if_due();
        Ok(())
    }

    fn get(&mut self, key: String) -> Result<Option<String>> {
        let Some(&location) = self.index.get(&key) else {
            return Ok(None);
        };
        let line = read(&mut self.log, location).map_err(KvsError::at(&self.path))?;
        let record = Record::decode(&line, &self.path, location.offset)?;
        Ok(record.into_value())
    }

    fn remove(&mut self, key: String) -> Result<()> {
        if !self.index.contains_key(&key) {
            return Err(KvsError::KeyNotFound);
        }
        let record = Record::Remove { key };
        let removal = self.append(&record)?;
        let old = self.index.remove(&record.into_key());
        self.stats.garbage_bytes += removal.len + old.map_or(0, |old| old.len);
        self.compact_if_due();
        Ok(())
    }

    fn append(&mut self, record: &Record) -> Result<Location> {
        let location = record_log::append(&self.path, &self.log, self.end, record)?;
        self.end = location.end();
        Ok(location)
    }

    /// Compacts if it pays. The write that came here has succeeded whatever happens now.
    fn compact_if_due(&mut self) {
        let garbage = self.stats.garbage_bytes;
        if garbage < self.compact_at || garbage < self.end / 2 {
            return;
        }
        self.compact_at = MIN_GARBAGE_BYTES;
        if let Err(error) = self.compact() {
            log::error!("compaction failed, the store is as it was: {error}");
            // A disk that is full would fail the next write's attempt too.
            self.compact_at = garbage + MIN_GARBAGE_BYTES;
        }
    }

    /// Copies the live records into a new log and goes on with that.
    fn compact(&mut self) -> Result<()> {
        let generation = self.generation + 1;
        let path = record_log::path(self.dir.path(), generation);
        let mut index = HashMap::with_capacity(self.index.len());
        let (log, end) = record_log::write_new(&path, |copy| {
            for (key, &location) in &self.index {
                let line = read(&mut self.log, location).map_err(KvsError::at(&self.path))?;
                index.insert(key.clone(), copy.push(&line)?);
            }
            Ok(())
        })?;

        let replaced = mem::replace(&mut self.generation, generation);
        (self.path, self.log, self.index, self.end) = (path, log, index, end);
        self.stats.garbage_bytes = 0;
        self.stats.compactions += 1;
        record_log::delete_replaced(self.dir.path(), [replaced]);
        Ok(())
    }
}

/// Moves the log's cursor to a record and reads it.
fn read(log: &mut File, location: Location) -> std::io::Result<Vec<u8>> {
    let mut line = location.buffer();
    log.seek(SeekFrom::Start(location.offset))?;
    log.read_exact(&mut line)?;
    Ok(line)
}
