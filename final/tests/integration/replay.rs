//! Stores that are long enough to be replayed by several threads.

use kvs_final::disk::SimulatedDisk;
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine, Result, Stats};
use kvs_test_kit::simulated::workload::{DIR, Model, is_damaged, key};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const KEYS: usize = 3_000;

fn open(disk: &SimulatedDisk) -> Result<KvStore> {
    let options = KvStoreOptions::new().durability(Durability::Os).background(false);
    options.segment_bytes(200_000).disk(disk.clone()).open(DIR)
}

/// Overwrites and removals in no order, in several segments, and then the end of the process.
fn killed(seed: u64) -> (SimulatedDisk, Model, Stats) {
    let disk = SimulatedDisk::new();
    let store = open(&disk).unwrap();
    let (mut model, mut random) = (Model::new(), StdRng::seed_from_u64(seed));
    for number in 0..20_000 {
        let key = key(random.random_range(0..KEYS));
        if random.random_range(0..4) == 0 {
            assert_eq!(store.remove(key.clone()).is_ok(), model.remove(&key).is_some());
        } else {
            store.set(key.clone(), number.to_string()).unwrap();
            model.insert(key, number.to_string());
        }
    }
    (disk.after_kill(disk.changes()), model, store.stats())
}

#[test]
fn of_every_key_the_last_record_counts() {
    for seed in 0..3 {
        let (disk, model, before) = killed(seed);
        let store = open(&disk).unwrap();
        for number in 0..KEYS {
            let found = store.get(key(number)).unwrap();
            assert_eq!(found.as_ref(), model.get(&key(number)), "seed {seed}, key {number}");
        }
        assert_eq!(store.stats(), before);
    }
}

#[test]
fn damage_is_named_wherever_it_is() {
    let (disk, _, _) = killed(3);
    for name in ["0000000001.seg", "0000000002.seg"] {
        let path = std::path::Path::new(DIR).join(name);
        let good = disk.content(&path).unwrap();
        let middle = good.len() / 2;
        let found = good[middle..].windows(3).position(|bytes| bytes == b"key");
        let at = middle + found.unwrap();
        let mut bad = good.clone();
        bad[at] ^= 1;
        disk.set_content(&path, bad);
        is_damaged(open(&disk), &path, at - 15);
        disk.set_content(&path, good);
    }
    open(&disk).unwrap();
}

#[test]
fn the_disk_sees_the_same_operations_every_time() {
    let (disk, _, _) = killed(4);
    let operations = |disk: SimulatedDisk| {
        let before = disk.operations();
        let _store = open(&disk).unwrap();
        disk.operations() - before
    };
    let first = operations(disk.snapshot());
    for _ in 0..5 {
        assert_eq!(operations(disk.snapshot()), first);
    }
    assert!(first < 100, "{first} operations for 20,000 records");
}

#[test]
fn a_record_longer_than_what_is_read_at_a_time_is_found() {
    let disk = SimulatedDisk::new();
    let long = "v".repeat(3 << 20);
    for _ in 0..2 {
        let store = open(&disk).unwrap();
        store.set("long".into(), long.clone()).unwrap();
        store.set("short".into(), "value".into()).unwrap();
        store.compact().unwrap();
        drop(store);
        let store = open(&disk).unwrap();
        assert_eq!(store.get("long".into()).unwrap().unwrap(), long);
        assert_eq!(store.get("short".into()).unwrap().unwrap(), "value");
    }
}
