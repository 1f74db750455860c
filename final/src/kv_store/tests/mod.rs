//! What only the store itself can see: batches, the reasons for a compaction, what is durable when.
//! `final/tests` has what can be seen from outside.

mod batch;
mod compaction_due;
mod durable;
mod steps;

use crate::disk::SimulatedDisk;
use crate::{Durability, KvStore, KvStoreOptions, KvsEngine, KvsError, Result};
use kvs_test_kit::process::deleted_and_open;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::HashSet;
use std::path::Path;
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

/// A new store, and its disk.
fn new(durability: Durability) -> (SimulatedDisk, KvStore) {
    let disk = SimulatedDisk::new();
    let store = options(&disk).durability(durability).open(DIR).unwrap();
    (disk, store)
}

#[test]
fn the_directory_is_free_after_the_close_while_the_index_is_still_there() {
    let (disk, store) = new(Durability::Always);
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

/// Of keys below 20, none is ever removed; of those from 60 on, none is ever there.
#[test]
fn a_walk_returns_every_key_that_is_there_throughout_whatever_is_written_and_compacted_meanwhile() {
    for seed in 0..40 {
        let mut random = StdRng::seed_from_u64(seed);
        let disk = SimulatedDisk::new();
        let open = || options(&disk).durability(Durability::Os).segment_bytes(2_000).open(DIR);
        let store = open().unwrap();
        let write = |random: &mut StdRng, number: usize| {
            let value = (number < 20 || random.random()).then(|| "v".repeat(number));
            (key(number), value)
        };
        store.write_batch((0..60).map(|number| write(&mut random, number)).collect()).unwrap();
        let (mut cursor, mut found, mut pages) = (None, HashSet::new(), 0);
        loop {
            let limit = random.random_range(1..4);
            let page = store.keys(cursor, limit).unwrap();
            assert!(page.keys.len() <= limit);
            (pages, cursor) = (pages + 1, page.cursor);
            found.extend(page.keys);
            if cursor.is_none() {
                break;
            }
            if pages < 1_000 && random.random_ratio(1, 3) {
                let some = (0..random.random_range(1..4)).map(|_| random.random_range(0..60));
                let some: Vec<usize> = some.collect();
                let writes = some.into_iter().map(|number| write(&mut random, number));
                store.write_batch(writes.collect()).unwrap();
            }
            if pages < 1_000 && random.random_ratio(1, 20) {
                store.compact().unwrap();
            }
        }
        let missing = (0..20).find(|number| !found.contains(&key(*number)));
        assert_eq!(missing, None, "seed {seed}, after {pages} pages");
        assert!(found.iter().all(|found| (0..60).any(|number| key(number) == *found)));
        let first = store.keys(None, 2).unwrap();
        drop(store);
        let store = open().unwrap();
        let again = store.keys(first.cursor, 1).unwrap();
        assert_eq!(again, store.keys(None, 1).unwrap(), "it begins anew");
        assert!(matches!(store.keys(Some("1.20".into()), 1), Err(KvsError::Cursor { .. })));
    }
}

#[test]
fn there_is_a_hint_where_it_is_short_and_one_that_is_not_usable_is_written_anew() {
    let disk = SimulatedDisk::new();
    let open = || {
        let options = KvStoreOptions::new().segment_bytes(64 << 10).background(false);
        options.disk(disk.clone()).open(DIR).unwrap()
    };
    let hints = || {
        let mut files = disk.files();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "hint"));
        files
    };
    let store = open();
    let fill = |store: &KvStore, len: usize| {
        for number in 0..200_000 / len {
            store.set(format!("key{number}"), "v".repeat(len)).unwrap();
        }
        store.compact_if_due().unwrap();
    };
    fill(&store, 22);
    assert_eq!(hints().len(), 0);
    fill(&store, 1_000);
    let written = hints();
    assert!(written.len() >= 2);
    for path in &written {
        let len = |path: &Path| disk.content(path).unwrap().len();
        assert!(len(path) <= len(&path.with_extension("seg")) / 8, "{}", path.display());
    }
    drop(store);
    let good = disk.content(&written[0]).unwrap();
    disk.set_content(&written[0], vec![0; 100]);
    disk.delete(&written[1]);
    let store = open();
    assert_eq!(hints().len(), written.len() - 2);
    assert_eq!(store.stats().keys, 9_090);
    store.compact_if_due().unwrap();
    assert_eq!((hints(), disk.content(&written[0]).unwrap()), (written.clone(), good));
    // All that is in them is garbage then.
    fill(&store, 1_000);
    store.compact().unwrap();
    assert!(hints().iter().all(|hint| !written.contains(hint)));
}

#[test]
fn a_segment_without_records_has_a_hint_where_that_is_short_enough() {
    for eighths in [1, 16] {
        let disk = SimulatedDisk::new();
        let store = options(&disk).hint_eighths(eighths).open(DIR).unwrap();
        store.0.log.seal(true).unwrap();
        store.compact_if_due().unwrap();
        let path = Path::new(DIR).join("0000000001.hint");
        assert_eq!(disk.content(&path).is_some(), eighths > 1);
    }
}
