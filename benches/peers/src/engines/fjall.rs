//! fjall: its log-structured tree, one keyspace.

use super::{ALL, CACHE, Level, Promise, Store};
use crate::Outcome;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::path::Path;

pub(super) struct Fjall {
    db: Database,
    keyspace: Keyspace,
    level: Level,
}

impl Fjall {
    pub(super) fn open(level: Level, dir: &Path) -> Outcome<Fjall> {
        let db = Database::builder(dir).cache_size(CACHE as u64).open()?;
        let keyspace = db.keyspace("table", KeyspaceCreateOptions::default)?;
        Ok(Fjall { db, keyspace, level })
    }
}

impl Store for Fjall {
    fn set(&self, key: &str, value: &str) -> Outcome<()> {
        self.keyspace.insert(key, value)?;
        if self.level == Level::Synced {
            self.db.persist(PersistMode::SyncData)?;
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Outcome<Option<Vec<u8>>> {
        Ok(self.keyspace.get(key)?.map(|value| value.to_vec()))
    }
}

pub(super) fn promise(level: Level) -> Promise {
    match level {
        Level::Unsynced => Promise {
            setting: "as it comes: the journal is handed to the system at each write",
            after_kill: ALL,
            after_power_cut: "what the system had not written yet is lost",
        },
        Level::Synced => Promise {
            setting: "`persist(SyncData)` at each write",
            after_kill: ALL,
            after_power_cut: ALL,
        },
    }
}
