//! What recovery makes of the end of a segment, and of files that are not a store's.

use kvs_final::disk::SimulatedDisk;
use kvs_final::{KvStore, KvsEngine};
use kvs_test_kit::simulated::workload::{DIR, is_damaged, open, open_os};
use std::path::{Path, PathBuf};

fn segment() -> PathBuf {
    Path::new(DIR).join("0000000001.seg")
}

/// Where the first record is.
const FIRST: usize = 20;
/// Bytes of a record before its key.
const HEADER: usize = 15;

fn set(store: &KvStore, key: &str, value: &str) {
    store.set(key.into(), value.into()).unwrap();
}

/// The disk of a store whose process was killed, with some bytes of its segment flipped.
fn killed(disk: &SimulatedDisk, flipped: &[usize]) -> SimulatedDisk {
    let disk = disk.after_kill(disk.changes());
    let mut bytes = disk.content(&segment()).unwrap();
    flipped.iter().for_each(|at| bytes[*at] ^= 1);
    disk.set_content(&segment(), bytes);
    disk
}

fn is_damaged_at(disk: &SimulatedDisk, expected: usize) {
    is_damaged(open_os(disk), &segment(), expected);
}

#[test]
fn every_record_behind_a_sync_vouches_for_what_is_before_the_sync_and_for_no_more() {
    let disk = SimulatedDisk::new();
    let store = open_os(&disk).unwrap();
    set(&store, "a", "1");
    store.sync().unwrap();
    set(&store, "b", "2");
    set(&store, "c", "3");
    let second = FIRST + HEADER + 2;
    // Only the last record is left, and it ends where the file does.
    is_damaged_at(&killed(&disk, &[FIRST, second]), FIRST);
    let store = open_os(&killed(&disk, &[second])).unwrap();
    assert_eq!(store.get("a".into()).unwrap().unwrap(), "1");
    assert_eq!(store.stats().keys, 1);
}

#[test]
fn a_value_full_of_what_looks_like_headers_does_not_hide_damage() {
    // What is before "v" has the form of a header: of a record that reaches far, with a value of 96
    // bytes, written when the first 21 bytes were durable.
    let header = "\0\0\0\0\u{15}\0\0\0`\0\0\0\0\0\u{1}";
    let disk = SimulatedDisk::new();
    let store = open_os(&disk).unwrap();
    set(&store, "a", &(header.repeat(4) + &"v".repeat(100)));
    store.sync().unwrap();
    set(&store, "b", "2");
    is_damaged_at(&killed(&disk, &[FIRST]), FIRST);
}

#[test]
fn a_complete_segment_that_is_shorter_is_damaged_and_what_is_behind_its_end_does_not_count() {
    let disk = SimulatedDisk::new();
    let store = open(&disk).unwrap();
    set(&store, "a", "1");
    set(&store, "b", "2");
    drop(store);
    let good = disk.content(&segment()).unwrap();
    for len in FIRST..good.len() {
        disk.set_content(&segment(), good[..len].to_vec());
        is_damaged_at(&disk.snapshot(), len);
    }
    let mut longer = good.clone();
    longer.extend(&good[FIRST..]);
    disk.set_content(&segment(), longer);
    assert_eq!(open(&disk).unwrap().stats().keys, 2);
}

#[test]
fn files_with_names_like_those_of_the_stages_do_not_keep_a_store_from_being_made() {
    let disk = SimulatedDisk::new();
    for name in ["kvs-notes.txt", "server.log"] {
        disk.set_content(&Path::new(DIR).join(name), Vec::new());
    }
    set(&open(&disk).unwrap(), "a", "1");
    assert_eq!(open(&disk).unwrap().get("a".into()).unwrap().unwrap(), "1");
}
