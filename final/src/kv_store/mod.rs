//! Our storage engine.
//!
//! A write appends a record to the log and then lets readers find it, in an index in memory that
//! says for each key where its newest record is (the shape of Bitcask: Sheehy and Smith, 2010).
//! The log is a row of segments. Compaction copies what is live out of those with the most garbage.
//!
//! | file | what |
//! |---|---|
//! | `MANIFEST` | which segments are the store, and in which order (`manifest.rs`) |
//! | `NNNNNNNNNN.seg` | a segment: a header and records (`segment.rs`, `record.rs`) |
//! | `NNNNNNNNNN.hint` | what the index needs of a sealed segment, for a quick open (`hint.rs`) |
//! | `engine` | the name of the engine; its lock says who owns the directory |
//!
//! | role | threads | file |
//! |---|---|---|
//! | reader | any number, without a lock | `reader.rs`, `index.rs`, `segment_table.rs` |
//! | writer | any number; one at a time has the log's write call | `committer.rs`, `log.rs` |
//! | leader at level `always`, and where the compactor is behind | one at a time, for all writers in a queue | `group_commit.rs` |
//! | reader of all keys | any number | `keys.rs` |
//! | compactor | one of its own | `compactor.rs`, `plan.rs`, `step.rs`, `throttle.rs` |
//! | recovery | the one that opens the store | `recovery.rs`, `torn_tail.rs`, `orphans.rs` |
//! | loader | as many as there are cores, while the store is opened | `loader.rs` |
//!
//! Simpler than the real thing: all keys are in memory; there are no ranges, and no transactions beyond
//! compare-and-set on one key, and batches of which a crash leaves all or nothing.

mod background;
mod catalog;
mod check;
mod committer;
mod compactor;
mod group_commit;
mod hint;
mod index;
mod keys;
mod loader;
mod log;
mod manifest;
#[cfg(loom)]
pub(crate) mod models;
mod options;
mod orphans;
mod periodic;
mod plan;
mod reader;
mod record;
mod recovery;
mod salvage;
mod seal;
mod segment;
mod segment_table;
mod step;
mod stopped;
mod stripes;
mod tail;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(test)]
mod tests;
mod throttle;
mod torn_tail;

pub use check::{CheckReport, check, dump};
pub use options::{Durability, KvStoreOptions};
pub use salvage::salvage;

use crate::disk::Access;
use crate::process::Opener;
use crate::{KvsEngine, Page, Result, Stats, Write};
use background::Background;
use catalog::Catalog;
use committer::{Committer, Op};
use compactor::Compactor;
use group_commit::GroupCommit;
use index::Index;
use log::Log;
use reader::Reader;
use std::path::PathBuf;
use std::slice;
use std::sync::Arc;
use tail::Tail;

/// How many bytes of records of a round are written at a time.
const MAX_ROUND: usize = 1 << 20;

/// A store whose values are in a log on disk and whose keys are in memory. Its clones are the same
/// store; the last one closes it.
///
/// Single-key operations are linearizable. What a write survives, [`Durability`] says.
///
/// A store is the directory that was opened, whatever becomes of its name. One that was moved goes on
/// where it is. One that was deleted, or whose newest segment was, writes no more and answers reads: at
/// level `always` no write is acknowledged after that, at `interval` none after the next sync, at `os`
/// none after about a second. Writing ends too if another owner's marker or manifest is found where a
/// new manifest is about to be written: when a segment is full, after a compaction, and at the close.
/// A marker that is missing is written again then. What has the directory's name by that time is left
/// alone in all of these cases.
///
/// Open stores after a `fork`, not before. In a child, writes to a store of its parent's are refused
/// ([`KvsError::Forked`](crate::KvsError::Forked)), dropping it does nothing, and a read may never
/// return. The parent's close frees the directory although the child still has it open; the parent's
/// death does not.
///
/// ```
/// # fn main() -> kvs_final::Result<()> {
/// # let dir = tempfile::tempdir()?;
/// use kvs_final::{KvStore, KvsEngine};
/// let store = KvStore::open(dir.path())?;
/// let same = store.clone();
/// store.set("key".to_owned(), "value".to_owned())?;
/// assert_eq!(same.get("key".to_owned())?, Some("value".to_owned()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct KvStore(Arc<Shared>);

struct Shared {
    index: Arc<Index>,
    reader: Reader,
    log: Arc<Log>,
    committer: Arc<Committer>,
    group_commit: Arc<GroupCommit>,
    compactor: Arc<Compactor>,
    background: Background,
    opener: Opener,
}

impl KvStore {
    /// Opens the store in a directory, which is made if need be, with the default options.
    ///
    /// # Errors
    /// If the directory is in use, another engine's or of another format; if the disk fails; if what the open reads is
    /// damaged: all but the values of segments that have a hint. Those are checked when they are read.
    pub fn open(dir: impl Into<PathBuf>) -> Result<KvStore> {
        KvStoreOptions::new().open(dir)
    }

    fn write(&self, write: Write) -> Result<()> {
        let op = self.op(write)?;
        self.0.compactor.admit(op.len());
        self.0.commit(op)?;
        self.0.compact_if_due();
        Ok(())
    }

    /// A write that may be committed.
    fn op(&self, write: Write) -> Result<Op> {
        self.0.opener.check()?;
        record::check_limits(&write)?;
        Ok(Op::new(write))
    }

    /// Leaves the index to the end of the process, which comes as soon as the store is closed: to free millions
    /// of keys one by one takes seconds.
    pub(crate) fn leak_index(&self) {
        std::mem::forget(Arc::clone(&self.0.index));
    }

    /// What the store says about itself. Waits for no other thread's work.
    pub fn stats(&self) -> Stats {
        let Shared { index, log, compactor, .. } = &*self.0;
        let bytes = log.catalog.bytes();
        Stats {
            keys: index.entries.len() as u64,
            live_bytes: bytes.saturating_sub(index.garbage()),
            garbage_bytes: index.garbage(),
            segments: log.catalog.sealed() + 1,
            compactions: compactor.count(),
            last_error: log.catalog.stopped.reason().cloned().or_else(|| compactor.last_error()),
        }
    }

    /// Compacts now, on this thread, whether it pays or not.
    ///
    /// # Errors
    /// If the disk fails. The store is as it was then.
    pub fn compact(&self) -> Result<()> {
        self.0.opener.check()?;
        self.0.compactor.run_all()
    }

    /// Compacts if it pays, on this thread: what a thread of the store's own does, unless it was
    /// opened without ([`KvStoreOptions::background`]). Returns whether it did.
    ///
    /// # Errors
    /// As [`KvStore::compact`].
    pub fn compact_if_due(&self) -> Result<bool> {
        self.0.opener.check()?;
        self.0.compactor.run_if_due()
    }

    /// Makes every write that was acknowledged so far durable.
    ///
    /// # Errors
    /// If the disk fails; from then on no more is written until the store is opened again.
    pub fn sync(&self) -> Result<()> {
        self.0.opener.check()?;
        self.0.log.sync()
    }
}

impl KvStoreOptions {
    /// Opens the store in a directory, which is made if need be.
    ///
    /// # Errors
    /// As [`KvStore::open`].
    pub fn open(self, dir: impl Into<PathBuf>) -> Result<KvStore> {
        let dir = self.disk.claim(&dir.into(), Access::Write)?;
        let index = Arc::new(Index::new());
        let files = recovery::open(&*dir, &index, self.hint_eighths)?;
        let open = Arc::clone(&index.segments);
        let (catalog, (newest, end)) = Catalog::new(dir, files, self.map_sealed, open)?;
        let log = Arc::new(Log::new(self, catalog, Tail::new(newest, end)));
        let committer = Arc::new(Committer::new(Arc::clone(&log), Arc::clone(&index)));
        let group_commit = Arc::new(GroupCommit::new(Arc::clone(&committer)));
        let (same, keys) = (Arc::clone(&log), Arc::clone(&index));
        let compactor = Arc::new(Compactor::new(same, keys, Arc::clone(&committer)));
        let background = Background::start(&log, &group_commit, &compactor)?;
        if compactor.has_work() {
            background.wake_compactor();
        }
        Ok(KvStore(Arc::new(Shared {
            reader: Reader::new(Arc::clone(&index)),
            index,
            log,
            committer,
            group_commit,
            compactor,
            background,
            opener: Opener::this_process(),
        })))
    }
}

impl KvsEngine for KvStore {
    fn set(&self, key: String, value: String) -> Result<()> {
        self.write(Write::Set { key, value })
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        self.0.reader.get(&key)
    }

    fn remove(&self, key: String) -> Result<()> {
        self.write(Write::Remove { key })
    }

    fn compare_and_set(
        &self,
        key: String,
        expected: Option<String>,
        new: Option<String>,
    ) -> Result<()> {
        self.write(Write::CompareAndSet { key, expected, new })
    }

    fn write_batch(&self, writes: Vec<(String, Option<String>)>) -> Result<()> {
        self.write(Write::Batch(writes))
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.index.entries.len() as u64)
    }

    fn keys(&self, cursor: Option<String>, limit: usize) -> Result<Page> {
        keys::page(&self.0.log, &self.0.index, cursor, limit)
    }

    fn round<D: FnOnce(Result<()>) + Send + 'static>(
        &self,
        writes: impl IntoIterator<Item = (Write, D)>,
    ) {
        let (mut ops, mut told, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (write, done) in writes {
            match self.op(write) {
                Ok(op) => {
                    bytes += op.len();
                    ops.push(op);
                    told.push(done);
                }
                Err(error) => done(Err(error)),
            }
            if bytes > MAX_ROUND {
                self.0.commit_then(std::mem::take(&mut ops), std::mem::take(&mut told));
                bytes = 0;
            }
        }
        self.0.commit_then(ops, told);
        self.0.compact_if_due();
    }

    fn stats_text(&self) -> String {
        self.stats().to_string()
    }
}

impl Shared {
    fn commit(&self, mut op: Op) -> Result<()> {
        // Before any lock: what takes the log lines of a store that stops may write to it.
        self.log.catalog.stopped.check()?;
        if self.is_always() {
            return self.group_commit.commit(op);
        }
        self.committer.commit(slice::from_mut(&mut op));
        op.result
    }

    fn is_always(&self) -> bool {
        self.log.options.durability == Durability::Always
    }

    /// Commits a round, together if that pays. Where it would have to wait, the log's thread does.
    fn commit_then<D: FnOnce(Result<()>) + Send + 'static>(&self, mut ops: Vec<Op>, told: Vec<D>) {
        // Behind those that wait already, because it may depend on them.
        let waits = || self.is_always() || self.compactor.holds_up() || self.group_commit.is_busy();
        if ops.is_empty() {
        } else if self.background.commits() && waits() {
            self.group_commit.commit_then(ops.into_iter().zip(told));
        } else if self.is_always() {
            ops.into_iter().zip(told).for_each(|(op, done)| done(self.commit(op)));
        } else {
            match self.log.catalog.stopped.check() {
                Ok(()) => self.committer.commit(&mut ops),
                Err(stopped) => ops.iter_mut().for_each(|op| op.result = Err(stopped.clone())),
            }
            ops.into_iter().zip(told).for_each(|(op, done)| done(op.result));
        }
    }

    fn compact_if_due(&self) {
        if self.compactor.has_work() {
            self.background.wake_compactor();
        }
    }
}

impl Drop for KvStore {
    fn drop(&mut self) {
        if self.0.opener.check().is_err() {
            // The threads to wait for are the parent's, and so is the directory.
            std::mem::forget(Arc::clone(&self.0));
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.compactor.cancel();
        self.background.stop();
        if let Err(error) = self.log.close() {
            ::log::warn!(
                "the store was not closed in good order; the next open checks it: {error}"
            );
        }
        // A thread that cannot be waited for may have the log a little longer.
        self.log.catalog.dir.release();
    }
}
