//! What only the store itself can see: batches, the reasons for a compaction, what is durable when.
//! `final/tests` has what can be seen from outside.

mod batch;
mod compaction_due;
mod durable;

use crate::disk::SimulatedDisk;
use crate::{Durability, KvStore, KvStoreOptions, KvsEngine, Result};
use kvs_test_kit::process::deleted_and_open;
use std::sync::{Arc, Barrier};
use std::thread;
use tempfile::TempDir;

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

/// Or else a disk could be full of them that is empty to all appearances.
#[test]
fn segments_that_were_replaced_are_closed_with_the_last_reader_whatever_other_threads_do() {
    let dir = TempDir::new().unwrap();
    let options = KvStoreOptions::new().segment_bytes(4096).background(false);
    let store = options.open(dir.path()).unwrap();
    let write = || (0..100).for_each(|number| store.set(key(number), "v".repeat(100)).unwrap());
    let (have_written, end) = (Barrier::new(4), Barrier::new(4));
    thread::scope(|scope| {
        for _ in 0..3 {
            // They have replaced entries, and do no more.
            scope.spawn(|| {
                write();
                have_written.wait();
                end.wait();
            });
        }
        have_written.wait();
        let reader = store.0.index.segments.pin();
        store.compact().unwrap();
        assert!(deleted_and_open(dir.path()) > 1, "a reader may be in them");
        drop(reader);
        assert_eq!(deleted_and_open(dir.path()), 0);
        end.wait();
    });
}
