//! Several writes at once: a group, as the leader of group commit makes them.

use super::{new, open, open_os};
use crate::disk::{Fault, SimulatedDisk};
use crate::kv_store::commit::Op;
use crate::kv_store::format::record::MAX_KEY;
use crate::{Durability, KvsEngine, KvsError, Write};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn set(key: &str, value: &str) -> Op {
    Op::new(Write::Set { key: key.to_owned(), value: value.to_owned() })
}

fn remove(key: &str) -> Op {
    Op::new(Write::Remove { key: key.to_owned() })
}

fn cas(key: &str, expected: Option<&str>, new: Option<&str>) -> Op {
    let [expected, new] = [expected, new].map(|value| value.map(str::to_owned));
    Op::new(Write::CompareAndSet { key: key.to_owned(), expected, new })
}

/// `true` for done, `false` for a missing key or another value.
fn outcomes(ops: &[Op]) -> Vec<bool> {
    let outcome = |op: &Op| match &op.result {
        Ok(()) => true,
        Err(KvsError::KeyNotFound | KvsError::Mismatch) => false,
        Err(other) => panic!("{other}"),
    };
    ops.iter().map(outcome).collect()
}

#[test]
fn writes_of_one_group_count_in_their_order() {
    const LONG: &str = "a value that is not kept in the index";
    let cases = [
        (remove("a"), false),
        (set("a", "1"), true),
        (remove("a"), true),
        (remove("a"), false),
        (set("b", "2"), true),
        (cas("b", Some("1"), Some("3")), false),
        (cas("b", Some("2"), Some(LONG)), true),
        (cas("a", Some("1"), Some("4")), false),
        (cas("a", None, None), true),
        (cas("c", None, Some("5")), true),
        (cas("c", None, Some("6")), false),
        (cas("c", Some("5"), None), true),
        (remove("c"), false),
    ];
    let expected: Vec<bool> = cases.iter().map(|(_, done)| *done).collect();
    for at_once in [true, false] {
        let (disk, store) = new(Durability::Always);
        let mut ops: Vec<Op> = cases.iter().map(|(op, _)| op.clone()).collect();
        let commits = ops.chunks_mut(if at_once { cases.len() } else { 1 });
        commits.for_each(|ops| store.0.committer.commit(ops));
        assert_eq!(outcomes(&ops), expected);
        for store in [store, open(&disk.after_kill(disk.changes())).unwrap()] {
            let found = ["a", "b", "c"].map(|key| store.get(key.into()).unwrap());
            assert_eq!(found, [None, Some(LONG.to_owned()), None]);
        }
    }
}

/// Has two writes fail, the next operation and one that comes so many later.
fn fail_now_and_after(later: usize, disk: &SimulatedDisk) {
    let error = ErrorKind::StorageFull;
    let fault = move |at| Some(Fault { at, forever: false, error, short_write: true });
    let (at, same) = (disk.operations(), disk.clone());
    disk.set_fault(fault(at));
    disk.before_operation(at + later, move || same.set_fault(fault(at + later)));
}

/// The write of all three fails and, once that is truncated, one of them by itself.
#[test]
fn a_group_that_cannot_be_written_is_done_one_by_one_and_concludes_nothing_from_one_that_fails() {
    let long = "a value that is not kept in the index";
    let dependent = [remove("a"), cas("a", Some("1"), None), set("b", "2")];
    let others = [set("a", "2"), set("b", "2"), set("c", "3")];
    for (later, mut ops, done, found) in [
        (2, dependent, [false, true, true], [None, Some("2"), None, Some(long)]),
        (3, others, [true, false, true], [Some("2"), None, Some("3"), Some(long)]),
    ] {
        let (disk, store) = new(Durability::Os);
        store.set("a".into(), "1".into()).unwrap();
        fail_now_and_after(later, &disk);
        store.0.committer.commit(&mut ops);
        assert_eq!(ops.each_ref().map(|op| op.result.is_ok()), done);
        assert!(ops.iter().any(|op| matches!(op.result, Err(KvsError::File { .. }))));
        store.set("d".into(), long.into()).unwrap();
        for store in [store, open_os(&disk.after_kill(disk.changes())).unwrap()] {
            let values = ["a", "b", "c", "d"].map(|key| store.get(key.into()).unwrap());
            assert_eq!(values, found.map(|value| value.map(str::to_owned)));
        }
    }
}

/// Its record may be in the log, too: the next open or power loss would do what was refused.
#[test]
fn what_depends_on_a_write_that_may_be_in_the_log_is_not_refused_as_if_it_were_not() {
    for (forever, is_there) in [(true, "2"), (false, "1")] {
        let (disk, store) = new(Durability::Always);
        store.set("a".into(), "1".into()).unwrap();
        let (at, error) = (disk.operations() + 1, ErrorKind::Other);
        disk.set_fault(Some(Fault { at, forever, error, short_write: false }));
        let mut ops = [remove("a"), cas("a", None, Some("2"))];
        store.0.committer.commit(&mut ops);
        for Op { result, .. } in ops {
            assert!(matches!(result, Err(KvsError::Stopped { .. })), "{result:?}");
        }
        assert_eq!(store.get("a".into()).unwrap().unwrap(), "1");
        let later = open(&disk.after_kill(disk.changes())).unwrap();
        assert_eq!(later.get("a".into()).unwrap().unwrap(), is_there);
    }
}

#[test]
fn a_panic_while_a_failed_write_is_undone_stops_the_store_and_holds_up_nobody() {
    let (disk, store) = new(Durability::Os);
    let (at, error) = (disk.operations(), ErrorKind::StorageFull);
    disk.set_fault(Some(Fault { at, forever: false, error, short_write: true }));
    disk.before_operation(at + 1, || panic!("a truncation panics, as this test wants"));
    for _ in 0..2 {
        let result = store.set("a".into(), "1".into());
        assert!(matches!(result, Err(KvsError::Stopped { .. })), "{result:?}");
    }
    assert_eq!(store.get("a".into()).unwrap(), None);
}

/// Each of them panics: one whose write is refused, those of a round's first part, and those of its rest.
#[test]
fn a_callback_that_panics_keeps_none_of_its_round_from_being_called_and_the_panic_goes_on() {
    for durability in [Durability::Os, Durability::Always] {
        let (_, store) = new(durability);
        let called = Arc::new(AtomicUsize::new(0));
        let (too_long, part) = ("k".repeat(MAX_KEY + 1), "v".repeat(2 << 20));
        let writes = [("a", "1"), (&too_long, "2"), ("b", &part), ("c", "3"), ("d", "4")];
        let round = writes.map(|(key, value)| {
            let called = Arc::clone(&called);
            let done = move |_| {
                called.fetch_add(1, Ordering::Relaxed);
                panic!("a callback panics, as this test wants");
            };
            (set(key, value).write, done)
        });
        catch_unwind(AssertUnwindSafe(|| store.round(round))).unwrap_err();
        assert_eq!(called.load(Ordering::Relaxed), writes.len());
        assert_eq!(store.len().unwrap(), 4);
    }
}
