use super::index::{Entry, Index, Log};
use kvs_common::log::{self, Position, Record};
use kvs_common::{DataDir, EngineKind, KvsError, Result};
use papaya::Guard;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Compaction waits for this many stale bytes, and for half of the log to be stale.
const MIN_STALE_BYTES: u64 = 1 << 20;

/// Where each key stands in a log, in the order of the places.
type Places = Vec<(String, Position)>;

/// The writing side of a store. It alone appends to the log and changes the index, in this order:
/// what a reader finds in the index is in the log already.
pub(super) struct Writer {
    dir: DataDir,
    generation: u64,
    log: Arc<Log>,
    /// Where the last record ends; the next one is written here.
    end: u64,
    /// How many stale bytes the next compaction waits for.
    compact_at: u64,
    index: Arc<Index>,
}

impl Writer {
    /// Takes the directory and replays its log into the index, which is empty.
    pub(super) fn open(dir: PathBuf, index: Arc<Index>) -> Result<Writer> {
        let dir = DataDir::open(dir, EngineKind::Kvs)?;
        let mut generations = log::generations(dir.path())?;
        let generation = generations.pop().unwrap_or(1);
        let path = log::path(dir.path(), generation);
        let file = open_file(OpenOptions::new().create(true), &path)?;
        let log = Arc::new(Log { path, file });

        let compact_at = MIN_STALE_BYTES;
        let mut writer =
            Writer { dir, generation, log: Arc::clone(&log), end: 0, compact_at, index };
        writer.end = log::replay(&log.path, &log.file, |record, position| match record {
            Record::Set { key, .. } => writer.publish(key, position),
            Record::Remove { key } => writer.withdraw(&key, position),
        })?;
        // A compaction that was interrupted after its last write left the old log behind.
        log::delete_replaced(writer.dir.path(), generations);
        Ok(writer)
    }

    pub(super) fn set(&mut self, key: String, value: String) -> Result<()> {
        let record = Record::Set { key, value };
        let position = self.append(&record)?;
        self.publish(record.into_key(), position);
        self.compact_if_due();
        Ok(())
    }

    pub(super) fn remove(&mut self, key: String) -> Result<()> {
        if !self.index.entries.pin().contains_key(&key) {
            return Err(KvsError::KeyNotFound);
        }
        let record = Record::Remove { key };
        let position = self.append(&record)?;
        self.withdraw(&record.into_key(), position);
        self.compact_if_due();
        Ok(())
    }

    fn append(&mut self, record: &Record) -> Result<Position> {
        let position = log::append(&self.log.path, &self.log.file, self.end, record)?;
        self.end = position.end();
        Ok(position)
    }

    /// Lets readers find the record that `key` has from now on.
    fn publish(&self, key: String, position: Position) {
        let entries = self.index.entries.pin();
        let entry = Entry { log: Arc::clone(&self.log), position };
        if let Some(old) = entries.insert(key, entry) {
            self.index.stale_bytes.fetch_add(old.position.len, Ordering::Relaxed);
        }
    }

    /// Lets readers find no record of `key`; the removal itself is stale at once.
    fn withdraw(&self, key: &str, removal: Position) {
        let entries = self.index.entries.pin();
        let old = entries.remove(key).map_or(0, |old| old.position.len);
        self.index.stale_bytes.fetch_add(old + removal.len, Ordering::Relaxed);
    }

    /// Compacts if it pays. The write that came here has succeeded whatever happens now.
    fn compact_if_due(&mut self) {
        let stale = self.index.stale_bytes.load(Ordering::Relaxed);
        if stale < self.compact_at || stale < self.end / 2 {
            return;
        }
        self.compact_at = MIN_STALE_BYTES;
        if let Err(error) = self.compact() {
            ::log::error!("compaction failed, the store is as it was: {error}");
            // A disk that is full would fail the next write's attempt too.
            self.compact_at = stale + MIN_STALE_BYTES;
        }
    }

    /// Copies the live records into a new log and goes on with that. Readers go on meanwhile.
    fn compact(&mut self) -> Result<()> {
        let generation = self.generation + 1;
        let path = log::path(self.dir.path(), generation);
        let unfinished = path.with_extension("log.tmp");
        let copied = self.copy_live_records(&unfinished, &path);
        if copied.is_err() {
            // What stays of it costs space until the next attempt.
            let _ = fs::remove_file(&unfinished);
        }
        let (log, moved) = copied?;

        let replaced = mem::replace(&mut self.generation, generation);
        self.end = moved.last().map_or(0, |(_, position)| position.end());
        self.log = log;
        for (key, position) in moved {
            self.publish(key, position);
        }
        // Frees the entries that this thread has replaced once their last reader lets go, and not
        // only when there are more of them: they hold the old log open, and with it its space on
        // disk. Those of other threads wait until those threads replace more.
        self.index.entries.guard().flush();
        self.index.stale_bytes.store(0, Ordering::Relaxed);
        self.index.compactions.fetch_add(1, Ordering::Relaxed);
        log::delete_replaced(self.dir.path(), [replaced]);
        Ok(())
    }

    /// Writes the new log and gives it its name. Returns it with the place of each key in it.
    fn copy_live_records(&self, unfinished: &Path, path: &Path) -> Result<(Arc<Log>, Places)> {
        let copy = open_file(OpenOptions::new().create(true).truncate(true), unfinished)?;
        let mut writer = BufWriter::new(&copy);
        let entries = self.index.entries.pin();
        let mut moved = Vec::with_capacity(entries.len());
        let mut end = 0;
        for (key, entry) in &entries {
            writer.write_all(&entry.read()?).map_err(KvsError::at(unfinished))?;
            let position = Position { offset: end, ..entry.position };
            end = position.end();
            moved.push((key.clone(), position));
        }
        // The old log is deleted next, so the copy has to be on disk and not only on its way.
        let synced = writer.flush().and_then(|()| copy.sync_all());
        synced.map_err(KvsError::at(unfinished))?;
        drop(writer);
        fs::rename(unfinished, path).map_err(KvsError::at(path))?;
        Ok((Arc::new(Log { path: path.to_owned(), file: copy }), moved))
    }
}

fn open_file(options: &mut OpenOptions, path: &Path) -> Result<File> {
    options.read(true).write(true).open(path).map_err(KvsError::at(path))
}
