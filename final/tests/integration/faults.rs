//! Every error at every place, once and for ever.

use kvs_final::disk::{Fault, SimulatedDisk};
use kvs_final::{KvStore, KvsEngine, KvsError, Result};
use kvs_test_kit::simulated::faults::everywhere;
use kvs_test_kit::simulated::workload::{Model, holds, key, open, open_os};
use kvs_test_kit::size::pick;
use std::io::ErrorKind;

#[test]
fn an_error_at_any_place_is_an_error_and_nothing_worse() {
    let (steps, least) = pick((70, 2_000), (190, 8_000));
    let runs = everywhere(1, steps, Result::is_ok);
    println!("{runs} runs with an error at every place");
    assert!(runs >= least, "only {runs}");
}

#[test]
#[should_panic(expected = "Fault")]
fn an_error_that_is_taken_for_success_is_noticed() {
    everywhere(1, 70, |_| true);
}

fn set(store: &KvStore, number: usize, value: &str) -> Result<()> {
    store.set(key(number), value.to_owned())
}

#[test]
fn writes_resume_when_there_is_space_again_and_reads_never_stop() {
    let disk = SimulatedDisk::new();
    let store = open(&disk).unwrap();
    set(&store, 0, "before").unwrap();
    let full = ErrorKind::StorageFull;
    // Every write fails, in the middle; cutting the file works, as it does on a full disk.
    for number in 0..10 {
        // From the second time on, space is reserved anew before the write, in two operations.
        let at = disk.operations() + if number == 0 { 0 } else { 2 };
        disk.set_fault(Some(Fault { at, forever: false, error: full, short_write: true }));
        match set(&store, 1, "too much") {
            Err(KvsError::File { source, .. }) => assert_eq!(source.kind(), full),
            other => panic!("{other:?}"),
        }
        assert_eq!(store.get(key(0)).unwrap().unwrap(), "before");
        assert_eq!(store.get(key(1)).unwrap(), None, "no phantom");
    }
    disk.set_fault(None);
    set(&store, 1, "after").unwrap();
    drop(store);
    let store = open(&disk).unwrap();
    let expected = Model::from([(key(0), "before".into()), (key(1), "after".into())]);
    holds(&store, &[&expected]).unwrap();
}

#[test]
fn after_a_failed_sync_nothing_is_written_until_the_store_is_opened_again() {
    let disk = SimulatedDisk::new();
    let store = open(&disk).unwrap();
    set(&store, 0, "before").unwrap();
    // The record fits in the reserved space, so it is a write and a sync.
    let at = disk.operations() + 1;
    disk.set_fault(Some(Fault { at, forever: false, error: ErrorKind::Other, short_write: false }));
    let first = set(&store, 1, "unsure").unwrap_err();
    assert!(matches!(first, KvsError::Stopped { .. }), "{first}");
    disk.set_fault(None);
    let operations = disk.operations();
    for _ in 0..3 {
        assert!(matches!(set(&store, 2, "later"), Err(KvsError::Stopped { .. })));
        assert!(matches!(store.remove(key(0)), Err(KvsError::Stopped { .. })));
        assert!(matches!(store.sync(), Err(KvsError::Stopped { .. })));
        assert!(matches!(store.compact(), Err(KvsError::Stopped { .. })));
        assert_eq!(store.get(key(0)).unwrap().unwrap(), "before");
        assert_eq!(store.get(key(1)).unwrap(), None, "it was never acknowledged");
    }
    assert_eq!(disk.operations(), operations, "the disk was left alone");
    assert!(store.stats().last_error.unwrap().contains("a sync failed"));
    drop(store);
    let store = open(&disk).unwrap();
    assert_eq!(store.get(key(0)).unwrap().unwrap(), "before");
    set(&store, 2, "later").unwrap();
}

#[test]
fn a_failed_sync_ends_all_writing_at_the_other_levels_too() {
    for sync in [KvStore::sync, KvStore::compact] {
        let disk = SimulatedDisk::new();
        let store = open_os(&disk).unwrap();
        set(&store, 0, "before").unwrap();
        let (at, error) = (disk.operations(), ErrorKind::Other);
        disk.set_fault(Some(Fault { at, forever: false, error, short_write: false }));
        assert!(matches!(sync(&store), Err(KvsError::Stopped { .. })));
        for _ in 0..3 {
            assert!(matches!(set(&store, 1, "later"), Err(KvsError::Stopped { .. })));
            assert!(matches!(store.sync(), Err(KvsError::Stopped { .. })));
            assert_eq!(store.get(key(0)).unwrap().unwrap(), "before");
        }
        assert_eq!(disk.operations(), at + 1, "the disk was left alone");
    }
}

/// Which operations of a rotation do what they do on a full disk, and writes go on when there is
/// space again.
#[test]
fn only_a_sync_that_fails_for_want_of_space_ends_all_writing() {
    const ROTATION: [&str; 17] = [
        "sync the old segment",
        "see that it is there",
        "create the new one",
        "write its header",
        "sync it",
        "sync the directory",
        "see that the marker is there",
        "see that the manifest is there",
        "open it",
        "see how long it is",
        "read it",
        "create the next one",
        "write it",
        "sync it",
        "rename it",
        "sync the directory",
        "write the record",
    ];
    let mut stopped = Vec::new();
    for (number, operation) in ROTATION.into_iter().enumerate() {
        let disk = SimulatedDisk::new();
        let store = open_os(&disk).unwrap();
        set(&store, 0, &"v".repeat(360)).unwrap();
        let (at, error) = (disk.operations() + number, ErrorKind::StorageFull);
        disk.set_fault(Some(Fault { at, forever: false, error, short_write: true }));
        assert!(set(&store, 1, "too much").is_err(), "{operation}");
        match set(&store, 1, "after") {
            Ok(()) => assert_eq!(store.get(key(1)).unwrap().unwrap(), "after"),
            Err(KvsError::Stopped { .. }) => stopped.push((number, operation)),
            Err(other) => panic!("{operation}: {other}"),
        }
    }
    assert_eq!(stopped, [0, 1, 15].map(|number| (number, ROTATION[number])));
}
