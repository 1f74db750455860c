//! When a compaction starts, and that it leaves no reason for the next one.

use super::{DIR, key, options};
use crate::disk::{Fault, SimulatedDisk};
use crate::kv_store::background::compact;
use crate::sync::INJECTED;
use crate::{Durability, KvStore, KvsEngine, Stats};
use crossbeam::channel::bounded;
use kvs_test_kit::until;
use std::io::ErrorKind;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

fn is_due(store: &KvStore) -> bool {
    store.0.compactor.is_due()
}

/// A store with a hundred values of `len` bytes in segments of up to 1,000 bytes.
fn filled(disk: &SimulatedDisk, len: usize) -> KvStore {
    let store = options(disk).segment_bytes(1_000).spare_segments(1).open(DIR).unwrap();
    for number in 0..100 {
        store.set(key(number), "v".repeat(len)).unwrap();
        assert!(!is_due(&store), "after {number} writes");
    }
    store
}

#[test]
fn full_segments_of_live_records_are_left_alone() {
    // Small records, records of which only one fits, and records that are longer than a segment.
    for len in [30, 470, 600, 2_000] {
        let disk = SimulatedDisk::new();
        let store = filled(&disk, len);
        let before = store.stats().segments;
        assert!(before >= 5, "{before}");
        store.compact().unwrap();
        assert!(!is_due(&store), "values of {len} bytes");
        assert!(store.stats().segments <= before + 1);
    }
}

#[test]
fn small_segments_are_merged_when_there_are_too_many() {
    let disk = SimulatedDisk::new();
    drop(filled(&disk, 30));
    let reopen = |spare| options(&disk).segment_bytes(100_000).spare_segments(spare).open(DIR);
    assert!(!is_due(&reopen(5).unwrap()));
    let store = reopen(4).unwrap();
    assert_eq!(store.stats().segments, 6);
    assert!(is_due(&store));
    store.compact().unwrap();
    assert!(!is_due(&store));
    assert_eq!(store.stats().segments, 2);
}

#[test]
fn the_compactor_sees_them_by_itself() {
    let disk = SimulatedDisk::new();
    drop(filled(&disk, 30));
    let options = options(&disk).segment_bytes(100_000).spare_segments(2).background(true);
    let store = options.open(DIR).unwrap();
    until("it is done", || store.stats().compactions == 1);
    assert_eq!(store.stats().segments, 2);
    assert_eq!(store.get(key(99)).unwrap(), Some("v".repeat(30)));
}

/// As fast as they come. Returns whether the log was longer at any time than it may be.
fn overwrites_exceed_the_limit() -> bool {
    let disk = SimulatedDisk::new();
    let options = options(&disk).durability(Durability::Os).segment_bytes(4000).compact_at(4000);
    let store = options.background(true).open(DIR).unwrap();
    let live = 10 * (100 + 20);
    (0..3000).any(|number| {
        store.set(key(number % 10), "v".repeat(100)).unwrap();
        let Stats { live_bytes, garbage_bytes, .. } = store.stats();
        // As much garbage, and copies.
        live_bytes + garbage_bytes > 3 * live + 4 * 4000
    })
}

#[test]
fn where_no_compaction_is_due_no_writer_waits_for_one() {
    let disk = SimulatedDisk::new();
    let options = options(&disk).durability(Durability::Os).segment_bytes(400);
    let options = options.compact_at(u64::MAX).spare_segments(u32::MAX).background(true);
    let store = options.open(DIR).unwrap();
    (0..200).for_each(|_| store.set(key(0), "v".repeat(100)).unwrap());
    assert_eq!(store.stats().compactions, 0);
}

#[test]
fn writers_wait_for_a_compactor_that_falls_behind() {
    assert!(!overwrites_exceed_the_limit());
    INJECTED.set("writers are not slowed down");
    assert!(overwrites_exceed_the_limit(), "not noticed");
    INJECTED.set("");
}

#[test]
fn a_compaction_that_lacked_space_is_tried_again_soon() {
    let disk = SimulatedDisk::new();
    let store = options(&disk).segment_bytes(1_000).compact_at(100).open(DIR).unwrap();
    for _ in 0..10 {
        store.set(key(0), "v".repeat(30)).unwrap();
    }
    store.0.log.seal(false).unwrap();
    let (at, error) = (disk.operations(), ErrorKind::StorageFull);
    disk.set_fault(Some(Fault { at, forever: true, error, short_write: false }));
    let ((wake, wakes), (stop, stopped)) = (bounded(1), bounded(0));
    let compactor = Arc::clone(&store.0.compactor);
    let delay = Duration::from_millis(1);
    let thread = thread::spawn(move || compact(&compactor, &wakes, &stopped, delay));
    wake.send(()).unwrap();
    // With a delay that doubles, so many would take hours.
    until("many have failed", || disk.operations() > at + 200);
    assert_eq!(store.stats().compactions, 0);
    disk.set_fault(None);
    until("there is space", || store.stats().compactions == 1);
    assert_eq!(store.stats().last_error, None);
    assert_eq!(store.get(key(0)).unwrap(), Some("v".repeat(30)));
    drop(stop);
    thread.join().unwrap();
}
