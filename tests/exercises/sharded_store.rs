//! Chapter 2. The store has one lock, so two writers wait for each other even if their keys have
//! nothing to do with each other. Write an engine over several `KvStore`s that splits the keys among
//! them, so that writers of different shards work side by side.
//!
//! The idea: a hash of the key says which store has it. Every key has one store, so what was true of
//! one key stays true: its operations come one after the other. What is lost is an order between keys
//! of different shards. The hash decides where data is on disk, so it must be the same tomorrow: it is
//! written out here, because std's hashers promise that only within a process. And the number of
//! shards must be the same, or keys are looked for in the wrong store: `open` refuses another one.

use shared_engine::{KvStore, KvsEngine, KvsError, Result};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Several engines, each with a share of the keys. Its clones are the same engine.
#[derive(Clone)]
pub(crate) struct Sharded<E>(Arc<[E]>);

impl Sharded<KvStore> {
    /// Opens as many stores, each in a directory of its own within `dir`.
    ///
    /// # Errors
    /// If one cannot be opened, or if there is one more.
    pub(crate) fn open(dir: &Path, shards: usize) -> Result<Self> {
        let shard_dir = |number: usize| dir.join(format!("shard-{number}"));
        fs::create_dir_all(dir)?;
        let existing = (0..).take_while(|&number| shard_dir(number).exists()).count();
        if shards == 0 || ![0, shards].contains(&existing) {
            let words = format!("{}: {existing} shards, not {shards}", dir.display());
            return Err(KvsError::Engine(words.into()));
        }
        let stores = (0..shards).map(|number| KvStore::open(shard_dir(number)));
        Ok(Sharded::new(stores.collect::<Result<_>>()?))
    }
}

impl<E> Sharded<E> {
    pub(crate) fn new(shards: Vec<E>) -> Self {
        Sharded(shards.into())
    }

    fn shard(&self, key: &str) -> &E {
        &self.0[(fnv(key) % self.0.len() as u64) as usize]
    }
}

/// The hash FNV-1a, of 64 bits.
fn fnv(key: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    key.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

impl<E: KvsEngine + Sync> KvsEngine for Sharded<E> {
    fn set(&self, key: String, value: String) -> Result<()> {
        self.shard(&key).set(key, value)
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        self.shard(&key).get(key)
    }

    fn remove(&self, key: String) -> Result<()> {
        self.shard(&key).remove(key)
    }
}
