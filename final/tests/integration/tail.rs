//! What recovery makes of the end of a segment, and of files that are not a store's.

use kvs_final::disk::{Fault, SimulatedDisk};
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine, check, salvage};
use kvs_test_kit::simulated::damage::{is_noticed, store};
use kvs_test_kit::simulated::workload::{DIR, is_damaged, open, open_os};
use std::io::ErrorKind;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
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

/// What is behind an end at once, [`damage`](crate::damage) tries everywhere.
#[test]
fn zeros_behind_an_end_that_the_manifest_names_are_no_damage_and_anything_behind_them_is() {
    let (disk, model) = store(1, 40);
    for path in disk.files().into_iter().filter(|path| path.extension().is_some()) {
        // As many as may be reserved, and more than are read at a time.
        let mut longer = disk.content(&path).unwrap();
        longer.resize(longer.len() + (4 << 20), 0);
        disk.set_content(&path, longer.clone());
        assert_eq!(is_noticed(&disk, &model, &path, 0), Ok(false));
        check(&disk, Path::new(DIR)).unwrap();
        let bad = disk.snapshot();
        bad.set_content(&path, [&*longer, b"!"].concat());
        assert_eq!(is_noticed(&bad, &model, &path, longer.len()), Ok(true));
    }
}

#[test]
fn a_write_that_panicked_is_behind_no_end_that_the_manifest_names() {
    for at in 0..2 {
        let disk = SimulatedDisk::new();
        let options = KvStoreOptions::new().background(false).disk(disk.clone());
        let store = options.durability(Durability::Always).open(DIR).unwrap();
        // Of all that can fail, so that no space is reserved.
        let (error, at) = (ErrorKind::Unsupported, disk.operations() + at);
        disk.set_fault(Some(Fault { at, forever: false, error, short_write: false }));
        disk.during_next_sync(|| panic!("a sync panics, as this test wants"));
        let write = || store.set("a".to_owned(), "1".to_owned());
        assert!(catch_unwind(AssertUnwindSafe(write)).is_err(), "at {at}");
        drop(store);
        assert_eq!(open(&disk.snapshot()).unwrap().stats().keys, 0);
    }
}

/// A store with its manifest put back as it was before more was written, into a new segment.
#[test]
fn a_segment_that_was_written_to_after_the_manifest_is_not_taken_for_a_leftover() {
    let disk = SimulatedDisk::new();
    let store = open(&disk).unwrap();
    set(&store, "a", "1");
    store.compact().unwrap();
    set(&store, "b", "2");
    drop(store);
    let path = Path::new(DIR).join("MANIFEST");
    let old = disk.content(&path).unwrap();
    let store = open(&disk).unwrap();
    // More than the segment before has room for.
    set(&store, "c", &"3".repeat(400));
    drop(store);
    disk.set_content(&path, old);
    let newest = Path::new(DIR).join("0000000004.seg");
    is_damaged(check(&disk, Path::new(DIR)), &newest, FIRST);
    is_damaged(open(&disk.snapshot()), &newest, FIRST);
    let bad = disk.snapshot();
    bad.set_content(&newest, vec![1; FIRST + 1]);
    is_damaged(open(&bad), &newest, 0);
    let mut said = Vec::new();
    let note = |_: &Path, _: Range<u64>, reason: &str| said.push(reason.to_owned());
    let new = || open(&SimulatedDisk::new());
    let (saved, _) = salvage(&disk, Path::new(DIR), new, note).unwrap();
    assert_eq!(saved.stats().keys, 3);
    assert_eq!(said, ["the manifest is older than this; all segments are read"]);
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
