//! Ours. And any other engine of `final`, by the trait that they share.

use super::{ALL, Level, Promise, Store};
use crate::Outcome;
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine};
use std::path::Path;

/// An engine of `final`.
pub(super) struct Kvs<E>(pub(super) E);

impl<E: KvsEngine + Sync> Store for Kvs<E> {
    fn set(&self, key: &str, value: &str) -> Outcome<()> {
        Ok(self.0.set(key.to_owned(), value.to_owned())?)
    }

    fn get(&self, key: &str) -> Outcome<Option<Vec<u8>>> {
        Ok(self.0.get(key.to_owned())?.map(String::into_bytes))
    }
}

pub(super) fn open(level: Level, dir: &Path) -> Outcome<Kvs<KvStore>> {
    let durability = match level {
        Level::Unsynced => Durability::Os,
        Level::Synced => Durability::Always,
    };
    Ok(Kvs(KvStoreOptions::new().durability(durability).open(dir)?))
}

pub(super) fn promise(level: Level) -> Promise {
    match level {
        Level::Unsynced => Promise {
            setting: "`KvStore`, `Durability::Os`",
            after_kill: ALL,
            after_power_cut: "what the system had not written yet is lost",
        },
        Level::Synced => Promise {
            setting: "`KvStore`, `Durability::Always`",
            after_kill: ALL,
            after_power_cut: ALL,
        },
    }
}
