//! The store, split by role: any number of readers, and one writer at a time.

mod index;
mod reader;
mod writer;

use crate::KvsEngine;
use index::Index;
use kvs_common::{Result, Stats};
use reader::Reader;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use writer::Writer;

/// A store whose values are in a log on disk and whose keys are in memory. Its clones are the same
/// store.
///
/// A write appends a record to the log; the index says where the newest record of each key is.
/// Records that no index entry points to are garbage, and compaction drops them.
#[derive(Clone)]
pub struct KvStore {
    reader: Reader,
    /// The lock makes writes one after the other: the end of the log, and the order in which
    /// records are appended and published, are the writer's alone. Readers do not know it.
    writer: Arc<Mutex<Writer>>,
}

impl KvStore {
    /// Opens the store in a directory, which is made if need be.
    ///
    /// # Errors
    /// If the directory is in use or another engine's, if the log is damaged, if the disk fails.
    pub fn open(dir: impl Into<PathBuf>) -> Result<KvStore> {
        let index = Arc::new(Index::default());
        let writer = Writer::open(dir.into(), Arc::clone(&index))?;
        Ok(KvStore { reader: Reader::new(index), writer: Arc::new(Mutex::new(writer)) })
    }

    /// What the store says about itself, without the writer's lock.
    pub fn stats(&self) -> Stats {
        self.reader.stats()
    }

    /// Waits for the other writers. A thread that panicked as a writer does no harm: each operation
    /// changes memory last, after everything that can fail, so the store is as it was before.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KvsEngine for KvStore {
    fn set(&self, key: String, value: String) -> Result<()> {
        self.writer().set(key, value)
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        self.reader.get(&key)
    }

    fn remove(&self, key: String) -> Result<()> {
        self.writer().remove(key)
    }
}
