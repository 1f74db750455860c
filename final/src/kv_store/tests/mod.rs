//! What only the store itself can see: batches, the reasons for a compaction, what is durable when.
//! `final/tests` has what can be seen from outside.

mod batch;
mod compaction_due;
mod durable;

use crate::disk::SimulatedDisk;
use crate::{Durability, KvStore, KvStoreOptions, Result};

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
