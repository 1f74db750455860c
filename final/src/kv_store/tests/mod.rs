//! What only the store itself can see: batches, the reasons for a compaction, what is durable when.
//! `final/tests` has what can be seen from outside.

mod batch;
mod compaction_due;
mod durable;

use crate::disk::SimulatedDisk;
use crate::{Durability, KvStore, KvStoreOptions, KvsEngine, Result};
use std::sync::Arc;

const DIR: &str = "/store";

fn key(number: usize) -> String {
    format!("key{number}")
}

/// Segments of a few records, and nothing done behind the test's back.
fn options(disk: &SimulatedDisk) -> KvStoreOptions {
    KvStoreOptions::new()
        .durability(Durability::Always)
        .segment_bytes(400)
        .background(false)
        .disk(disk.clone())
}

fn open(disk: &SimulatedDisk) -> Result<KvStore> {
    options(disk).open(DIR)
}

/// The same at level `os`.
fn open_os(disk: &SimulatedDisk) -> Result<KvStore> {
    options(disk).durability(Durability::Os).open(DIR)
}

#[test]
fn the_directory_is_free_after_the_close_while_the_index_is_still_there() {
    let disk = SimulatedDisk::new();
    let store = open(&disk).unwrap();
    store.set(key(0), "value".into()).unwrap();
    store.leak_index();
    let index = Arc::downgrade(&store.0.index);
    drop(store);
    assert_eq!(open(&disk).unwrap().get(key(0)).unwrap().as_deref(), Some("value"));
    assert!(index.upgrade().is_some());
}
