//! Stores that read complete segments from memory.

use super::workload::{DIR, Model, holds, key, options, run_with, script};
use crate::disk::SimulatedDisk;
use crate::{KvStore, KvStoreOptions, KvsEngine, KvsError};
use std::fs;

#[test]
fn a_mapped_store_answers_as_a_map_does_whatever_is_mixed_in() {
    for seed in 0..10 {
        let disk = SimulatedDisk::new();
        let open = || options(&disk).map_sealed(true).open(DIR);
        let mut store = Some(open().unwrap());
        let mut model = Model::new();
        for step in script(seed, 300) {
            run_with(&step, &mut store, open).unwrap();
            step.apply_to(&mut model);
            holds(store.as_ref().unwrap(), &[&model])
                .unwrap_or_else(|error| panic!("seed {seed}, {step:?}: {error}"));
        }
    }
}

fn value(number: usize) -> String {
    format!("value number {number}, which is not kept in the index")
}

/// On a real disk; the first nine keys are in complete segments.
fn mapped(dir: &std::path::Path) -> KvStore {
    let options = KvStoreOptions::new().background(false).segment_bytes(300).map_sealed(true);
    let store = options.open(dir).unwrap();
    for number in 0..10 {
        store.set(key(number), value(number)).unwrap();
    }
    store
}

#[test]
fn a_mapped_segment_is_not_read_as_a_file() {
    let disk = SimulatedDisk::new();
    let store = options(&disk).map_sealed(true).open(DIR).unwrap();
    let mut operations = Vec::new();
    for number in 0..10 {
        store.set(key(number), value(number)).unwrap();
    }
    for number in [0, 9] {
        let before = disk.operations();
        assert_eq!(store.get(key(number)).unwrap(), Some(value(number)));
        operations.push(disk.operations() - before);
    }
    assert_eq!(operations, [0, 1]);
}

#[test]
fn maps_outlive_the_files_that_compaction_deletes() {
    let dir = tempfile::tempdir().unwrap();
    let store = mapped(dir.path());
    let entries = store.0.index.entries.pin();
    let old = entries.get("key0").unwrap();
    store.compact().unwrap();
    assert!(!dir.path().join("0000000001.seg").exists());
    assert_eq!(old.value().unwrap(), Some(value(0)));
    for number in 0..10 {
        assert_eq!(store.get(key(number)).unwrap(), Some(value(number)));
    }
}

#[test]
fn damage_under_a_map_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let store = mapped(dir.path());
    let path = dir.path().join("0000000001.seg");
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    bad[40] ^= 1;
    // The same file, and never shorter: what a mapped file must not become.
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &bad, 0).unwrap();
    match store.get(key(0)) {
        Err(KvsError::Damaged { path: damaged, offset, .. }) => {
            assert_eq!((damaged, offset), (path, 20));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.get(key(1)).unwrap(), Some(value(1)));
    assert!(matches!(store.compact(), Err(KvsError::Damaged { .. })));
}
