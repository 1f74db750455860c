//! Our storage engine.
//!
//! A write appends a record to the log and then lets readers find it, in an index in memory that
//! says for each key where its newest record is (the shape of Bitcask: Sheehy and Smith, 2010).
//! The log is a row of segments. Compaction copies what is live out of those with the most garbage.
//!
//! | on disk | what |
//! |---|---|
//! | `MANIFEST` | which segments are the store, and in which order (`format/manifest.rs`) |
//! | `NNNNNNNNNN.seg` | a segment: a header and records (`format/segment.rs`, `format/record.rs`) |
//! | `NNNNNNNNNN.hint` | what the index needs of a sealed segment, for a quick open (`format/hint.rs`) |
//! | `engine` | the name of the engine; its lock says who owns the directory |
//!
//! | folder | what | threads |
//! |---|---|---|
//! | `format/` | what is in the files, and nothing else | |
//! | `commit/` | what becomes of a write; group commit, for level `always` and for rounds while the compactor is behind: its leader does it for all in a queue | any number; of leaders one at a time |
//! | `log/` | the tail, where records are appended; the catalog of segments; how a segment is sealed | any number; one at a time leads here, too, and has the write call |
//! | `index/` | the index; the readers of a key, and of all keys page by page | any number; a get takes no lock, a page of keys asks the log where it ends |
//! | `compaction/` | which segments a step takes, and which writers wait for it; what it does, in an order that no crash can harm: `compaction/step.rs` | one of its own |
//! | `recovery/` | open, check, and salvage; what a *torn tail* is, and what damage: `recovery/torn_tail.rs`, which `recovery/mod.rs` asks | the one that opens the store; it fills the index on as many as there are cores |
//!
//! # Locks
//! A thread takes them in this order, and may leave any out:
//!
//! 1. `Compactor::running`: whoever compacts, for a step with its pauses, or writes a hint: the compactor's thread, or
//!    one that calls `compact`.
//! 2. `Stripes`: a writer those of its keys, in the order of their numbers, from before its records have their places
//!    until they're in the index, whoever writes them. The compactor takes one at a time, before it reads: what has a
//!    place and isn't in the index yet would pass for garbage.
//! 3. `Log::tail`: a writer for a push; a leader before and after its write, and while it writes again, one by one, what
//!    it couldn't write together; who seals, for all of it; who syncs, closes, or reads a page of keys, for a look. Who
//!    sleeps in it for a leader keeps its stripes: the leader has its own already.
//! 4. `Log::syncing`: whoever syncs the log. The close syncs without: no other thread of the store runs by then.
//! 5. `Catalog::segments`: who replaces the manifest, or looks at it.
//!
//! `GroupCommit::queue`, the result of a thread that waits there, and the locks of `Throttle` are the last: who has one
//! takes no other. (A long write waits for its share of `Throttle::under_way` before all of these, in `Throttle::turn`,
//! and keeps the share, not the locks.) A caller's function is called without any; a logger isn't: it may be called under all but the
//! last ones, and must not use the store.
//!
//! Simpler than the real thing: all keys are in memory; there are no ranges, and no transactions beyond
//! compare-and-set on one key, and batches of which a crash leaves all or nothing.

mod background;
mod commit;
mod compaction;
mod engine;
mod format {
    pub(crate) mod hint;
    pub(crate) mod manifest;
    pub(crate) mod record;
    pub(crate) mod scan;
    pub(crate) mod segment;

    pub(crate) use hint::{Hint, Note, Value};
    pub(crate) use manifest::{Manifest, WriteError};
    pub(crate) use record::{Location, Record};
    pub(crate) use scan::{Found, Scan};
    pub(crate) use segment::Segment;
}
mod index;
mod log;
#[cfg(loom)]
pub(crate) mod models;
mod options;
mod recovery;
#[cfg(test)]
mod tests;

pub use options::{Durability, KvStoreOptions};
pub use recovery::check::{CheckReport, check, dump};
pub use recovery::salvage::salvage;

use crate::disk::Access;
use crate::process::Opener;
use crate::{Result, Stats, Write};
use background::Background;
use commit::group_commit::GroupCommit;
use commit::{Committer, Op};
use compaction::Compactor;
use index::Index;
use log::Log;
use log::catalog::Catalog;
use log::tail::Tail;
use std::path::PathBuf;
use std::sync::Arc;

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
        self.0.opener.check()?;
        let op = Op::checked(write)?;
        let _admitted = self.0.compactor.admit(op.len());
        self.0.commit(op)?;
        self.0.compact_if_due();
        Ok(())
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
    /// If the disk fails. The store is as it was then. If only a segment can't be read, or is damaged, that one is left
    /// alone until the next open, and the others are compacted. On a disk without a free page it fails whatever there is to
    /// reclaim: a new segment to write to and a manifest that names it come first, then the copies, of a segment or two, and
    /// a manifest that names those; the old segments go last. A store that has a small disk for itself needs segments, and a garbage limit
    /// ([`KvStoreOptions::spare_garbage`]), that are small beside it.
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
        let is_open = files.manifest.segments.last().is_some_and(|(_, end)| end.is_none());
        let open = Arc::clone(&index.segments);
        let (catalog, (newest, end)) = Catalog::new(dir, files, self.map_sealed, open)?;
        let log = Arc::new(Log::new(self, catalog, Tail::new(newest, end, is_open)));
        let committer = Arc::new(Committer::new(Arc::clone(&log), Arc::clone(&index)));
        let group_commit = Arc::new(GroupCommit::new(Arc::clone(&committer)));
        let (same, keys) = (Arc::clone(&log), Arc::clone(&index));
        let compactor = Arc::new(Compactor::new(same, keys, Arc::clone(&committer)));
        let background = Background::start(&log, &group_commit, &compactor)?;
        if compactor.has_work() {
            background.wake_compactor();
        }
        Ok(KvStore(Arc::new(Shared {
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
