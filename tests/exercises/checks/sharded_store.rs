//! What `sharded_store` must do.

use crate::sharded_store::Sharded;
use crate::stage_2::{KvStore, KvsEngine, KvsError, Result};
use kvs_test_kit::comes_to_an_end;
use std::sync::{Arc, Condvar, Mutex};
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
        assert!(Sharded::<KvStore>::open(dir.path(), shards).is_err(), "{shards} shards");
    }
    assert!(Sharded::open(dir.path(), 4).is_ok());
}

/// An engine of two, whose writers wait inside until there has been a writer in both at once.
#[derive(Clone)]
struct Meeting {
    number: usize,
    /// One writer at a time, as in a store behind a lock.
    lock: Arc<Mutex<()>>,
    /// Which of the two have a writer inside, and where to wait for the other.
    inside: Arc<(Mutex<[bool; 2]>, Condvar)>,
}

impl KvsEngine for Meeting {
    fn set(&self, _key: String, _value: String) -> Result<()> {
        let _guard = self.lock.lock().unwrap();
        let (inside, changed) = &*self.inside;
        let mut inside = inside.lock().unwrap();
        inside[self.number] = true;
        changed.notify_all();
        // Nobody takes it back: who comes later need not wait.
        drop(changed.wait_while(inside, |inside| *inside != [true, true]).unwrap());
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
    comes_to_an_end(|| {
        let inside = Arc::default();
        let shard = |number| Meeting { number, lock: Arc::default(), inside: Arc::clone(&inside) };
        let store = Sharded::new(vec![shard(0), shard(1)]);
        thread::scope(|scope| {
            // Of so many keys some are in each shard.
            for number in 0..32 {
                let store = store.clone();
                scope.spawn(move || store.set(format!("key {number}"), String::new()).unwrap());
            }
        });
    });
}
