//! Writers that share the log, at level `os`: each has its place in it, and one writes for all.

use super::{FIRST, SECOND, store_on};
use crate::disk::{Fault, SimulatedDisk};
use crate::models::model::{Model, WANTED};
use crate::models::with;
use crate::{Durability, KvStore, KvsError};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) fn models() -> Vec<Model> {
    vec![
        Model::new("two share the log", || share(&["b"])),
        Model::new("three share the log", || share(&["b", "d"])).max_preemptions(3),
        Model::new("two write one key", one_key),
        Model::new("a write fails beside another", one_fails),
        Model::new("a write panics beside another", one_panics),
        Model::new("compaction beside a record that is not published", not_published)
            .max_preemptions(3),
    ]
}

fn open(disk: &SimulatedDisk) -> KvStore {
    store_on(disk.clone(), Durability::Os)
}

/// What a process finds that opens the store after this one was killed.
fn value_after_kill(disk: &SimulatedDisk, key: &str) -> Option<String> {
    open(&disk.after_kill(disk.changes())).value(key)
}

/// With keys of different stripes. Each finds its own write as soon as it is acknowledged, and so does the next process.
fn share(others: &[&'static str]) {
    let disk = SimulatedDisk::new();
    let store = open(&disk);
    let write = |key: &'static str| {
        move |store: KvStore| {
            store.put(key, FIRST).unwrap();
            assert_eq!(store.value(key).as_deref(), Some(FIRST));
        }
    };
    let others: Vec<_> = others.iter().map(|key| (*key, with(&store, write(key)))).collect();
    write("a")(store);
    for (key, other) in others {
        other.join().unwrap();
        assert!(value_after_kill(&disk, key).is_some(), "an acknowledged write is lost");
    }
    assert!(value_after_kill(&disk, "a").is_some(), "an acknowledged write is lost");
}

/// What readers find in the end is what the log says last.
fn one_key() {
    let disk = SimulatedDisk::new();
    let store = open(&disk);
    let other = with(&store, |store| store.put("a", FIRST).unwrap());
    store.put("a", SECOND).unwrap();
    other.join().unwrap();
    let found = store.value("a");
    assert_eq!(found, value_after_kill(&disk, "a"), "the log and the index differ");
}

/// Two writers, of which one at least can write. What was acknowledged is there, for the next process, too;
/// and the store goes on.
fn with_trouble(trouble: impl FnOnce(&SimulatedDisk)) {
    let disk = SimulatedDisk::new();
    let store = open(&disk);
    trouble(&disk);
    let write = |store: KvStore, key| match catch_unwind(AssertUnwindSafe(|| store.put(key, FIRST)))
    {
        Ok(Ok(())) => true,
        Ok(Err(KvsError::File { .. } | KvsError::Stopped { .. })) | Err(_) => false,
        Ok(Err(other)) => panic!("{other}"),
    };
    let other = with(&store, move |store| write(store, "b"));
    let written = [write(store.clone(), "a"), other.join().unwrap()];
    for (key, written) in ["a", "b"].into_iter().zip(written) {
        assert_eq!(store.value(key).is_some(), written);
        let is_there = value_after_kill(&disk, key).is_some();
        assert_eq!(is_there, written, "an acknowledged write is lost");
    }
    store.put("d", SECOND).unwrap();
    assert!(value_after_kill(&disk, "d").is_some(), "an acknowledged write is lost");
}

fn one_fails() {
    with_trouble(|disk| {
        let (at, error) = (disk.operations(), ErrorKind::StorageFull);
        disk.set_fault(Some(Fault { at, forever: false, error, short_write: true }));
    });
}

fn one_panics() {
    with_trouble(|disk| {
        disk.before_operation(disk.operations(), || std::panic::panic_any(WANTED));
    });
}

/// A record that has its place and is not in the index yet is no garbage to a compaction.
fn not_published() {
    let disk = SimulatedDisk::new();
    let store = open(&disk);
    let compactor = with(&store, |store| store.compact().unwrap());
    store.put("a", FIRST).unwrap();
    compactor.join().unwrap();
    // First: a reader of a record that is lost looks for it for ever.
    assert!(value_after_kill(&disk, "a").is_some(), "an acknowledged write is lost");
    assert_eq!(store.value("a").as_deref(), Some(FIRST));
}
