use super::index::{Entry, Index, Log};
use kvs_common::record_log::{self, Location, Record};
use kvs_common::{DataDir, EngineKind, KvsError, Result};
use papaya::Guard;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Compaction waits for this many bytes of garbage, and for half of the log to be garbage.
const MIN_GARBAGE_BYTES: u64 = 1 << 20;

/// The writing side of a store. It alone appends to the log and changes the index, in this order:
/// what a reader finds in the index is in the log already.
pub(super) struct Writer {
    dir: DataDir,
    generation: u64,
    log: Arc<Log>,
    /// Where the last record ends; the next one is written here.
    end: u64,
    /// How many bytes of garbage the next compaction waits for.
    compact_at: u64,
    index: Arc<Index>,
}

impl Writer {
    /// Takes the directory and replays its log into the index, which is empty.
    pub(super) fn open(dir: PathBuf, index: Arc<Index>) -> Result<Writer> {
        let dir = DataDir::open(dir, EngineKind::Kvs)?;
        let mut generations = record_log::generations(dir.path())?;
        let generation = generations.pop().unwrap_or(1);
        let path = record_log::path(dir.path(), generation);
        let file = record_log::open(&path)?;
        let log = Arc::new(Log { path, file });

        let compact_at = MIN_GARBAGE_BYTES;
        let mut writer =
            Writer { dir, generation, log: Arc::clone(&log), end: 0, compact_at, index };
        writer.end = record_log::replay(&log.path, &log.file, |record, location| match record {
            Record::Set { key, .. } => writer.publish(key, location),
            Record::Remove { key } => writer.withdraw(&key, location),
        })?;
        // A compaction that was interrupted after its last write left the old log behind.
        record_log::delete_replaced(writer.dir.path(), generations);
        Ok(writer)
    }

    pub(super) fn set(&mut self, key: String, value: String) -> Result<()> {
        let record = Record::Set { key, value };
        let location = self.append(&record)?;
        self.publish(record.into_key(), location);
        self.compact_if_due();
        Ok(())
    }

    pub(super) fn remove(&mut self, key: String) -> Result<()> {
        if !self.index.entries.pin().contains_key(&key) {
            return Err(KvsError::KeyNotFound);
        }
        let record = Record::Remove { key };
        let location = self.append(&record)?;
        self.withdraw(&record.into_key(), location);
        self.compact_if_due();
        Ok(())
    }

    fn append(&mut self, record: &Record) -> Result<Location> {
        let location = record_log::append(&self.log.path, &self.log.file, self.end, record)?;
        self.end = location.end();
        Ok(location)
    }

    /// Lets readers find the record that `key` has from now on.
    fn publish(&self, key: String, location: Location) {
        let entries = self.index.entries.pin();
        let entry = Entry { log: Arc::clone(&self.log), location };
        if let Some(old) = entries.insert(key, entry) {
            self.index.garbage_bytes.fetch_add(old.location.len, Ordering::Relaxed);
        }
    }

    /// Lets readers find no record of `key`; the removal itself is garbage at once.
    fn withdraw(&self, key: &str, removal: Location) {
        let entries = self.index.entries.pin();
        let old = entries.remove(key).map_or(0, |old| old.location.len);
        self.index.garbage_bytes.fetch_add(old + removal.len, Ordering::Relaxed);
    }

    /// Compacts if it pays. The write that came here has succeeded whatever happens now.
    fn compact_if_due(&mut self) {
        let garbage = self.index.garbage_bytes.load(Ordering::Relaxed);
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

    /// Copies the live records into a new log and goes on with that. Readers go on meanwhile.
    fn compact(&mut self) -> Result<()> {
        let generation = self.generation + 1;
        let path = record_log::path(self.dir.path(), generation);
        let mut moved = Vec::new();
        let (file, end) = record_log::write_new(&path, |copy| {
            let entries = self.index.entries.pin();
            for (key, entry) in &entries {
                moved.push((key.clone(), copy.push(&entry.read()?)?));
            }
            Ok(())
        })?;

        let replaced = mem::replace(&mut self.generation, generation);
        (self.log, self.end) = (Arc::new(Log { path, file }), end);
        for (key, location) in moved {
            self.publish(key, location);
        }
        // Without this, papaya would wait for more retired entries before it frees these, and until
        // then they hold the old log open, and with it its space on disk. Those that other threads
        // have retired wait until those threads retire more.
        self.index.entries.guard().flush();
        self.index.garbage_bytes.store(0, Ordering::Relaxed);
        self.index.compactions.fetch_add(1, Ordering::Relaxed);
        record_log::delete_replaced(self.dir.path(), [replaced]);
        Ok(())
    }
}
