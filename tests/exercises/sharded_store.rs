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
        (0..shards)
            .map(|number| KvStore::open(shard_dir(number)))
            .collect::<Result<_>>()
            .map(Sharded)
    }
}

impl<E> Sharded<E> {
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

mod tests {
    use super::*;
    use kvs_test_kit::WATCHDOG;
    use std::sync::mpsc::channel;
    use std::sync::{Barrier, Mutex};
    use std::thread;
    use tempfile::TempDir;

    #[test]
    fn what_one_open_wrote_the_next_one_finds() {
        let dir = TempDir::new().unwrap();
        let keys = || (0..100).map(|number| format!("key {number}"));
        let store = Sharded::open(dir.path(), 4).unwrap();
        for key in keys() {
            store.set(key.clone(), format!("of {key}")).unwrap();
        }
        let sizes: Vec<u64> = store.0.iter().map(|shard| shard.stats().keys).collect();
        assert!(sizes.iter().all(|&keys| keys > 10), "an uneven hash: {sizes:?}");
        drop(store);
        let store = Sharded::open(dir.path(), 4).unwrap();
        for key in keys() {
            assert_eq!(store.get(key.clone()).unwrap(), Some(format!("of {key}")));
            store.remove(key.clone()).unwrap();
            assert!(matches!(store.remove(key), Err(KvsError::KeyNotFound)));
        }
    }

    #[test]
    fn another_number_of_shards_is_refused() {
        let dir = TempDir::new().unwrap();
        drop(Sharded::open(dir.path(), 4).unwrap());
        for shards in [0, 3, 5] {
            let Err(error) = Sharded::open(dir.path(), shards) else { panic!("it opens") };
            assert!(error.to_string().contains(&format!("4 shards, not {shards}")), "{error}");
        }
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv("foobar"), 0x8594_4171_f739_67e8);
    }

    /// An engine whose writers hold its lock until a writer of each shard is inside.
    #[derive(Clone)]
    struct Meeting {
        lock: Arc<Mutex<()>>,
        all_inside: Arc<Barrier>,
    }

    impl KvsEngine for Meeting {
        fn set(&self, _key: String, _value: String) -> Result<()> {
            let _guard = self.lock.lock().unwrap();
            self.all_inside.wait();
            Ok(())
        }

        fn get(&self, _key: String) -> Result<Option<String>> {
            Ok(None)
        }

        fn remove(&self, _key: String) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn writers_of_different_shards_are_inside_at_the_same_time() {
        let all_inside = Arc::new(Barrier::new(2));
        let shards =
            [(); 2].map(|()| Meeting { lock: Arc::default(), all_inside: Arc::clone(&all_inside) });
        let store = Sharded(Arc::new(shards));
        // One key of each shard.
        let keys = [0, 1].map(|shard| {
            let mut keys = (0..).map(|number: u32| number.to_string());
            keys.find(|key| fnv(key) % 2 == shard).unwrap()
        });
        let (done, writers) = channel();
        for key in keys {
            let (store, done) = (store.clone(), done.clone());
            thread::spawn(move || {
                store.set(key, String::new()).unwrap();
                done.send(()).unwrap();
            });
        }
        for _ in 0..2 {
            writers.recv_timeout(WATCHDOG).expect("one writer waits for the other");
        }
    }
}
