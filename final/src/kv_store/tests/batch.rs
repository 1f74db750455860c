//! Batches of several writes, as group commit makes them.

use super::{DIR, open, open_os, options};
use crate::disk::{Fault, SimulatedDisk};
use crate::kv_store::committer::Op;
use crate::{KvsEngine, KvsError};
use std::io::ErrorKind;

fn set(key: &str, value: &str) -> Op {
    Op::new(key.to_owned(), Some(value.to_owned()))
}

fn remove(key: &str) -> Op {
    Op::new(key.to_owned(), None)
}

/// `true` for done, `false` for a missing key.
fn outcomes(ops: &[Op]) -> Vec<bool> {
    let outcome = |op: &Op| match &op.result {
        Ok(()) => true,
        Err(KvsError::KeyNotFound) => false,
        Err(other) => panic!("{other}"),
    };
    ops.iter().map(outcome).collect()
}

#[test]
fn writes_of_one_batch_count_in_their_order() {
    let disk = SimulatedDisk::new();
    let store = open(&disk).unwrap();
    let mut ops = [
        remove("a"),
        set("a", "1"),
        remove("a"),
        remove("a"),
        set("b", "2"),
        set("b", "a value that is not kept in the index"),
    ];
    store.0.committer.commit(&mut ops);
    assert_eq!(outcomes(&ops), [false, true, true, false, true, true]);
    for _ in 0..2 {
        let store = open(&disk.after_kill(disk.changes())).unwrap();
        assert_eq!(store.get("a".into()).unwrap(), None);
        assert!(store.get("b".into()).unwrap().unwrap().starts_with("a value"));
    }
}

#[test]
fn a_batch_is_one_write_one_sync_and_one_look_whether_it_is_there() {
    let disk = SimulatedDisk::new();
    let store = options(&disk).segment_bytes(100_000).open(DIR).unwrap();
    store.set("first".into(), "reserves space".into()).unwrap();
    let before = disk.operations();
    let mut ops: Vec<Op> = (0..100).map(|number| set(&number.to_string(), "value")).collect();
    store.0.committer.commit(&mut ops);
    assert!(outcomes(&ops).into_iter().all(|done| done));
    assert_eq!(disk.operations() - before, 3);
}

#[test]
fn a_batch_that_cannot_be_written_is_done_one_by_one_and_concludes_nothing() {
    let disk = SimulatedDisk::new();
    let store = open_os(&disk).unwrap();
    store.set("a".into(), "1".into()).unwrap();
    let error = ErrorKind::StorageFull;
    let fault = move |at| Some(Fault { at, forever: false, error, short_write: true });
    // The write of all three fails and is truncated, and then the first removal by itself.
    let (at, same) = (disk.operations(), disk.clone());
    disk.set_fault(fault(at));
    disk.before_operation(at + 2, move || same.set_fault(fault(at + 2)));
    let mut ops = [remove("a"), remove("a"), set("b", "2")];
    store.0.committer.commit(&mut ops);
    assert!(matches!(ops[0].result, Err(KvsError::File { .. })), "{:?}", ops[0].result);
    assert_eq!(outcomes(&ops[1..]), [true, true], "the second removal finds the key");
    assert_eq!(store.get("a".into()).unwrap(), None);
    assert_eq!(store.get("b".into()).unwrap().unwrap(), "2");
}

#[test]
fn a_panic_while_a_failed_write_is_undone_stops_the_store_and_holds_up_nobody() {
    let disk = SimulatedDisk::new();
    let store = open_os(&disk).unwrap();
    let (at, error) = (disk.operations(), ErrorKind::StorageFull);
    disk.set_fault(Some(Fault { at, forever: false, error, short_write: true }));
    disk.before_operation(at + 1, || panic!("a truncation panics, as this test wants"));
    for _ in 0..2 {
        let result = store.set("a".into(), "1".into());
        assert!(matches!(result, Err(KvsError::Stopped { .. })), "{result:?}");
    }
    assert_eq!(store.get("a".into()).unwrap(), None);
}

#[test]
fn writes_of_different_keys_fail_each_by_itself() {
    let disk = SimulatedDisk::new();
    let store = open_os(&disk).unwrap();
    let error = ErrorKind::StorageFull;
    let fault = move |at| Some(Fault { at, forever: false, error, short_write: true });
    // The write of all three fails and is truncated; then the second of them by itself.
    let (at, same) = (disk.operations(), disk.clone());
    disk.set_fault(fault(at));
    disk.before_operation(at + 3, move || same.set_fault(fault(at + 3)));
    let mut ops = [set("a", "1"), set("b", "2"), set("c", "3")];
    store.0.committer.commit(&mut ops);
    let done: Vec<bool> = ops.iter().map(|op| op.result.is_ok()).collect();
    assert_eq!(done, [true, false, true]);
    store.set("d".into(), "a value that is not kept in the index".into()).unwrap();
    for store in [store, open_os(&disk.after_kill(disk.changes())).unwrap()] {
        for (key, is_there) in [("a", true), ("b", false), ("c", true), ("d", true)] {
            assert_eq!(store.get(key.into()).unwrap().is_some(), is_there, "{key}");
        }
    }
}
