//! That a compaction leaves no reason for the next one, no file open, and some segments alone.

use kvs_final::disk::SimulatedDisk;
use kvs_final::{KvStoreOptions, KvsEngine};
use kvs_test_kit::process::deleted_and_open;
use kvs_test_kit::simulated::workload::{COMPACT_AT, DIR, Step, options, run_with, script};
use std::thread;
use tempfile::TempDir;

#[test]
fn a_compaction_leaves_no_reason_for_the_next() {
    for seed in 0..20 {
        let disk = SimulatedDisk::new();
        let open = || options(&disk).compact_at(100).spare_segments(1).open(DIR);
        let mut store = Some(open().unwrap());
        let mut times = 0;
        for step in script(seed, 300) {
            run_with(&step, &mut store, open).unwrap();
            let store = store.as_ref().unwrap();
            if store.compact_if_due().unwrap() {
                assert!(!store.compact_if_due().unwrap(), "seed {seed}, {step:?}");
                times += 1;
            }
        }
        assert!(times > 5, "seed {seed}: {times}");
    }
}

/// The scripts of the crashes, that is. If all segments are compacted, all of them go.
#[test]
fn a_script_compacts_also_while_the_segment_that_is_written_to_is_left_alone() {
    let disk = SimulatedDisk::new();
    let open = || options(&disk).compact_at(COMPACT_AT).open(DIR);
    let mut store = Some(open().unwrap());
    let mut times = 0;
    for step in (0..4).flat_map(|seed| script(seed, 120)) {
        if let (Step::CompactIfDue, Some(store)) = (&step, &store) {
            let mut before = disk.files();
            before.retain(|file| file.extension().is_some_and(|end| end == "seg"));
            if store.compact_if_due().unwrap() {
                let after = disk.files();
                times += usize::from(before.iter().any(|file| after.contains(file)));
            }
        }
        run_with(&step, &mut store, open).unwrap();
    }
    assert!(times >= 5, "{times}");
}

/// Else a disk could be full of them that is empty to all appearances.
#[test]
fn files_that_a_compaction_has_replaced_are_closed() {
    let dir = TempDir::new().unwrap();
    let options = KvStoreOptions::new().segment_bytes(4096).background(false);
    let store = options.open(dir.path()).unwrap();
    let write = || (0..100).for_each(|key| store.set(key.to_string(), "v".repeat(100)).unwrap());
    write();
    store.compact().unwrap();
    assert_eq!(deleted_and_open(dir.path()), 0, "by who has compacted");
    // Entries that this thread has replaced, so that it has to free them, and another thread compacts.
    write();
    thread::scope(|scope| scope.spawn(|| store.compact().unwrap()).join().unwrap());
    store.set("one more".to_owned(), "v".to_owned()).unwrap();
    assert_eq!(deleted_and_open(dir.path()), 0, "by who had written before");
}
