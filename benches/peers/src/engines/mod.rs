//! The engines, each behind one small trait, and what each promises.

mod fjall;
mod kvs;
mod lmdb;
mod raw;
mod redb;
mod sled;

use crate::Outcome;
use crate::data::Key;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a workload needs of a store. Keys and values are lent: if an engine's interface wants to own
/// them, the copy is its own cost.
pub(crate) trait Store: Send + Sync {
    /// Gives the key the value, as durably as the store was opened for.
    fn set(&self, key: &str, value: &str) -> Outcome<()>;

    /// The value of the key, if it has one. It is the caller's own, as a server needs it that is
    /// going to send it: an engine that lends its values copies it.
    fn get(&self, key: &str) -> Outcome<Option<Vec<u8>>>;

    /// Sets them all in the way that is best for a first load. Measured by nobody.
    fn fill(&self, records: &mut dyn Iterator<Item = (Key, String)>) -> Outcome<()> {
        for (key, value) in records {
            self.set(key.as_str(), &value)?;
        }
        Ok(())
    }
}

/// How many records of a first load go into one transaction, in engines that have them.
const BATCH: usize = 10_000;

/// The cache of engines that have one of their own: room for all data of all workloads.
const CACHE: usize = 4 << 30;

/// An engine, in a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Engine {
    Kvs,
    Sled,
    SledFlush,
    Redb,
    RedbNosync,
    Fjall,
    Lmdb,
    Raw,
}

/// Whether a write is synced before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// No write waits for the disk.
    Unsynced,
    /// Every write does.
    Synced,
}

/// What a setting is and what it promises for acknowledged writes.
pub(crate) struct Promise {
    /// How it was asked for.
    pub(crate) setting: &'static str,
    /// After `kill -9`.
    pub(crate) after_kill: &'static str,
    /// After a power cut, or a crash of the operating system.
    pub(crate) after_power_cut: &'static str,
}

/// The words for a promise that is kept whole.
pub(crate) const ALL: &str = "all there";

impl Engine {
    /// All, in the order in which they take turns.
    pub(crate) const ALL: &[Engine] = &[
        Engine::Kvs,
        Engine::Sled,
        Engine::SledFlush,
        Engine::Redb,
        Engine::RedbNosync,
        Engine::Fjall,
        Engine::Lmdb,
        Engine::Raw,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Engine::Kvs => "kvs",
            Engine::Sled => "sled",
            Engine::SledFlush => "sled-flush",
            Engine::Redb => "redb",
            Engine::RedbNosync => "redb-nosync",
            Engine::Fjall => "fjall",
            Engine::Lmdb => "lmdb",
            Engine::Raw => "raw",
        }
    }

    /// What the engine promises at the level; nothing if it has no such level.
    pub(crate) fn promise(self, level: Level) -> Option<Promise> {
        match self {
            Engine::Kvs => Some(kvs::promise(level)),
            Engine::Sled => Some(sled::promise(level)),
            Engine::SledFlush => Some(sled::promise_of_flush()),
            Engine::Redb => Some(redb::promise(level)),
            Engine::RedbNosync => redb::promise_of_nosync(level),
            Engine::Fjall => Some(fjall::promise(level)),
            Engine::Lmdb => Some(lmdb::promise(level)),
            Engine::Raw => raw::promise(level),
        }
    }

    /// Opens a store in a directory, which is there already.
    pub(crate) fn open(self, level: Level, dir: &Path) -> Outcome<Box<dyn Store>> {
        Ok(match self {
            Engine::Kvs => Box::new(kvs::open(level, dir)?),
            Engine::Sled => sled::open(level, dir)?,
            Engine::SledFlush => Box::new(sled::Sled::open(true, dir)?),
            Engine::Redb => Box::new(redb::Redb::open(level, dir)?),
            Engine::RedbNosync => Box::new(redb::Redb::open_nosync(dir)?),
            Engine::Fjall => Box::new(fjall::Fjall::open(level, dir)?),
            Engine::Lmdb => Box::new(lmdb::Lmdb::open(level, dir)?),
            Engine::Raw => Box::new(raw::Raw::open(dir)?),
        })
    }
}
