//! The engine: index, reader, writer, segments, manifest, group commit and compactor, all of them
//! `final`'s, on its simulated disk. It has no threads of its own; a scene brings them.

mod models;

from_final! {
    "kv_store/": commit, compactor, index, manifest, options, reader, record, recovery, segment,
        writer;
}

/// Stands for `final/src/kv_store/replay.rs`, which deals records out to threads: a store that is opened
/// in a model is empty.
mod replay {
    use super::index::Index;
    use super::segment::{Found, Segment};
    use std::sync::Arc;

    pub(super) fn fill<T>(
        _: &Index,
        read: impl FnOnce(&mut dyn FnMut(Found<'_>, &Arc<Segment>)) -> T,
    ) -> T {
        read(&mut |_, _| unreachable!("a record in an empty store"))
    }
}

pub(crate) use models::MODELS;
pub(crate) use options::{Durability, KvStoreOptions};

use crate::Result;
use crate::disk::SimulatedDisk;
use commit::Commit;
use compactor::Compactor;
use index::Index;
use reader::Reader;
use std::path::PathBuf;
use std::sync::Arc;
use writer::{Op, Writer};

/// Stands for the handle, which only passes its calls on.
#[derive(Clone)]
pub(crate) struct KvStore(Arc<Shared>);

struct Shared {
    reader: Reader,
    commit: Commit,
    writer: Arc<Writer>,
    compactor: Compactor,
}

impl KvStore {
    /// An empty store, whose writers go to sleep at once. At the other levels they look for their
    /// result for a while first; that is the same load again and again, and makes no difference.
    fn new() -> Result<KvStore> {
        KvStore::on(SimulatedDisk::new(), Durability::Always)
    }

    fn on(disk: SimulatedDisk, durability: Durability) -> Result<KvStore> {
        let options = KvStoreOptions::new().durability(durability).segment_bytes(1 << 10);
        KvStore::open_with(options.disk(disk), "/".into())
    }

    fn open_with(options: KvStoreOptions, dir: PathBuf) -> Result<KvStore> {
        let index = Arc::new(Index::default());
        let files = recovery::open(&*options.disk, &dir, &index)?;
        let writer = Arc::new(Writer::new(options, dir, Arc::clone(&index), files)?);
        let commit = Commit::new(Arc::clone(&writer));
        let compactor = Compactor::new(Arc::clone(&writer));
        Ok(KvStore(Arc::new(Shared { reader: Reader::new(index), commit, writer, compactor })))
    }

    fn set(&self, key: &str, value: &str) -> Result<()> {
        self.0.commit.commit(Op::new(key.to_owned(), Some(value.to_owned())))
    }

    fn remove(&self, key: &str) -> Result<()> {
        self.0.commit.commit(Op::new(key.to_owned(), None))
    }

    fn get(&self, key: &str) -> Result<Option<String>> {
        self.0.reader.get(key)
    }

    fn compact(&self) -> Result<()> {
        self.0.compactor.run(true)
    }

    fn sync(&self) -> Result<()> {
        self.0.writer.sync()
    }
}
