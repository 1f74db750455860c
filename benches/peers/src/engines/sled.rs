//! sled: by its own interface as it comes, by its own interface with a flush at each write, and
//! synced by what its flush leaves out: the log's file, which has all values as short as these.

use super::{ALL, CACHE, Level, Promise, Store};
use crate::Outcome;
use crate::data::Key;
use std::fs::File;
use std::path::Path;

pub(super) struct Sled {
    db: sled::Db,
    flush: bool,
    /// A second descriptor of its log, to be synced at each write.
    log: Option<File>,
}

impl Sled {
    pub(super) fn open(flush: bool, dir: &Path) -> Outcome<Sled> {
        let db = sled::Config::new().path(dir).cache_capacity(CACHE as u64).open()?;
        Ok(Sled { db, flush, log: None })
    }
}

impl Store for Sled {
    fn set(&self, key: &str, value: &str) -> Outcome<()> {
        self.db.insert(key, value)?;
        if self.flush {
            self.db.flush()?;
        }
        if let Some(log) = &self.log {
            log.sync_data()?;
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Outcome<Option<Vec<u8>>> {
        Ok(self.db.get(key)?.map(|value| value.to_vec()))
    }

    fn fill(&self, records: &mut dyn Iterator<Item = (Key, String)>) -> Outcome<()> {
        for (key, value) in records {
            self.db.insert(key.as_str(), &*value)?;
        }
        if self.flush {
            self.db.flush()?;
        }
        Ok(())
    }
}

pub(super) fn open(level: Level, dir: &Path) -> Outcome<Box<dyn Store>> {
    Ok(match level {
        Level::Unsynced => Box::new(Sled::open(false, dir)?),
        Level::Synced => {
            let sled = Sled::open(true, dir)?;
            Box::new(Sled { log: Some(File::open(dir.join("db"))?), ..sled })
        }
    })
}

pub(super) fn promise(level: Level) -> Promise {
    match level {
        Level::Unsynced => Promise {
            setting: "sled's own interface, as it comes: flushed every 500 ms",
            after_kill: "those of the last 500 ms may be lost",
            after_power_cut: "what the system had not written yet is lost",
        },
        Level::Synced => Promise {
            setting: "sled's own interface, `flush` and `fdatasync` of its log at each write",
            after_kill: ALL,
            after_power_cut: ALL,
        },
    }
}

/// It has only the one level.
pub(super) fn promise_of_flush() -> Promise {
    Promise {
        setting: "sled's own interface, `flush` at each write",
        after_kill: ALL,
        after_power_cut: "what the system had not written yet is lost: `flush` is no `fdatasync`",
    }
}
