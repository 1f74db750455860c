//! LMDB, by `heed`: a transaction for each write.

use super::{ALL, BATCH, Level, Promise, Store};
use crate::Outcome;
use crate::data::Key;
use heed::types::{Bytes, Str};
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions};
use std::path::Path;

/// How long the map is, and the file may become. Only address space is taken for it.
const MAP: usize = 32 << 30;

pub(super) struct Lmdb {
    env: Env,
    table: Database<'static, Str, Bytes>,
}

impl Lmdb {
    // LMDB reads its file by a map, and the flag gives up a power cut's safety.
    #[allow(unsafe_code)]
    pub(super) fn open(level: Level, dir: &Path) -> Outcome<Lmdb> {
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP);
        if level == Level::Unsynced {
            // SAFETY: the flag is dangerous to what is in the file after a power cut, which is
            // thrown away, and to nothing in memory.
            unsafe { options.flags(EnvFlags::NO_SYNC) };
        }
        // SAFETY: the directory was made for this run, nobody else changes what is in it, and this
        // process opens it once.
        let env = unsafe { options.open(dir)? };
        let create = env.create_databases_and_commit(env.write_txn()?, |opener, write| {
            opener.create_database(write, None).map(CommitOrAbort::<_, ()>::Commit)
        })?;
        let table = create.commit().ok_or("LMDB's table was not created")?;
        Ok(Lmdb { env, table })
    }
}

impl Store for Lmdb {
    fn set(&self, key: &str, value: &str) -> Outcome<()> {
        let mut write = self.env.write_txn()?;
        self.table.put(&mut write, key, value.as_bytes())?;
        write.commit()?;
        Ok(())
    }

    fn get(&self, key: &str) -> Outcome<Option<Vec<u8>>> {
        let read = self.env.read_txn()?;
        Ok(self.table.get(&read, key)?.map(<[u8]>::to_vec))
    }

    fn fill(&self, records: &mut dyn Iterator<Item = (Key, String)>) -> Outcome<()> {
        let mut records = records.peekable();
        while records.peek().is_some() {
            let mut write = self.env.write_txn()?;
            for (key, value) in records.by_ref().take(BATCH) {
                self.table.put(&mut write, key.as_str(), value.as_bytes())?;
            }
            write.commit()?;
        }
        Ok(())
    }
}

pub(super) fn promise(level: Level) -> Promise {
    match level {
        Level::Unsynced => Promise {
            setting: "`MDB_NOSYNC`",
            after_kill: ALL,
            after_power_cut: "none: the file may be damaged",
        },
        Level::Synced => Promise { setting: "as it comes", after_kill: ALL, after_power_cut: ALL },
    }
}
