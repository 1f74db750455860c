//! redb: a transaction for each write.

use super::{ALL, BATCH, CACHE, Level, Promise, Store};
use crate::Outcome;
use crate::data::Key;
use redb::backends::FileBackend;
use redb::{
    Builder, Database, Durability, ReadableDatabase, StorageBackend, TableDefinition, TableError,
};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;

const TABLE: TableDefinition<&str, &[u8]> = TableDefinition::new("table");

pub(super) struct Redb {
    db: Database,
    durability: Durability,
}

impl Redb {
    pub(super) fn open(level: Level, dir: &Path) -> Outcome<Redb> {
        let durability = match level {
            Level::Unsynced => Durability::None,
            Level::Synced => Durability::Immediate,
        };
        let db = Builder::new().set_cache_size(CACHE).create(dir.join("redb"))?;
        Redb::with_table(db, durability)
    }

    /// Every commit is written, and none is synced.
    pub(super) fn open_nosync(dir: &Path) -> Outcome<Redb> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let backend = NoSync(FileBackend::new(options.open(dir.join("redb"))?)?);
        let db = Builder::new().set_cache_size(CACHE).create_with_backend(backend)?;
        Redb::with_table(db, Durability::Immediate)
    }

    fn with_table(db: Database, durability: Durability) -> Outcome<Redb> {
        match db.begin_read()?.open_table(TABLE) {
            Ok(_) => {}
            Err(TableError::TableDoesNotExist(_)) => {
                let write = db.begin_write()?;
                write.open_table(TABLE)?;
                write.commit()?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Redb { db, durability })
    }
}

impl Store for Redb {
    fn set(&self, key: &str, value: &str) -> Outcome<()> {
        let mut write = self.db.begin_write()?;
        write.set_durability(self.durability)?;
        write.open_table(TABLE)?.insert(key, value.as_bytes())?;
        write.commit()?;
        Ok(())
    }

    fn get(&self, key: &str) -> Outcome<Option<Vec<u8>>> {
        let read = self.db.begin_read()?;
        let table = read.open_table(TABLE)?;
        // Copied before the transaction ends, which keeps its page from being used again.
        let value = table.get(key)?.map(|value| value.value().to_vec());
        Ok(value)
    }

    fn fill(&self, records: &mut dyn Iterator<Item = (Key, String)>) -> Outcome<()> {
        let mut records = records.peekable();
        while records.peek().is_some() {
            let mut write = self.db.begin_write()?;
            write.set_durability(self.durability)?;
            let mut table = write.open_table(TABLE)?;
            for (key, value) in records.by_ref().take(BATCH) {
                table.insert(key.as_str(), value.as_bytes())?;
            }
            drop(table);
            write.commit()?;
        }
        Ok(())
    }
}

/// A file that pretends to be synced.
#[derive(Debug)]
struct NoSync(FileBackend);

impl StorageBackend for NoSync {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}

pub(super) fn promise(level: Level) -> Promise {
    match level {
        Level::Unsynced => Promise {
            setting: "`Durability::None`",
            after_kill: "all since the last commit at another level are lost; here, all",
            after_power_cut: "likewise",
        },
        Level::Synced => {
            Promise { setting: "`Durability::Immediate`", after_kill: ALL, after_power_cut: ALL }
        }
    }
}

pub(super) fn promise_of_nosync(level: Level) -> Option<Promise> {
    (level == Level::Unsynced).then_some(Promise {
        setting: "`Durability::Immediate` on a `StorageBackend` of ours that never syncs",
        after_kill: ALL,
        after_power_cut: "none: the file may be damaged",
    })
}
