//! A compaction moves a key in the index, which writers and readers have at the same time.

use super::super::format::Segment;
use super::super::index::{Entry, Index};
use crate::disk::{Access, Disk, SimulatedDisk};
use crate::models::model::Model;
use crate::models::with;
use crate::sync::map::Operation;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

pub(super) fn models() -> [Model; 2] {
    [
        Model::new("swap against set", || swap_against(Some("new"), "the newer write has lost")),
        Model::new("swap against remove", || swap_against(None, "a removed key is back")),
    ]
}

/// An index, in which `key` is in the old segment, and a segment with a copy of its record.
struct Moving {
    index: Arc<Index>,
    old: Arc<Segment>,
    copy: Arc<Segment>,
    new: Arc<Segment>,
}

/// The length of every record in the old segment, in the copy, and in the new one. None of them is
/// read: the values are short.
const LEN: u32 = 30;

impl Moving {
    fn start() -> Arc<Moving> {
        let dir = SimulatedDisk::new().claim(Path::new("/"), Access::Write).unwrap();
        let [old, copy, new] = [1, 2, 3].map(|number| Segment::create(&*dir, number).unwrap());
        let moving = Moving { index: Arc::new(Index::new()), old, copy, new };
        let Moving { index, old, copy, new } = &moving;
        index.segments.add(&[old, copy, new].map(Arc::clone));
        moving.set(&moving.old, "old");
        Arc::new(moving)
    }

    fn set(&self, segment: &Segment, value: &str) {
        self.index.insert("key", Entry::new(segment.number, 20, LEN, Some(value)));
    }

    /// What a compaction does with the key once its record is copied.
    fn move_key(&self) {
        let old = HashSet::from([self.old.number]);
        let copy = Entry::new(self.copy.number, 20, LEN, Some("old"));
        self.index.move_out_of(&old, "key", &copy);
    }

    fn value(&self) -> Option<String> {
        self.index.get("key").unwrap()
    }

    /// Bytes of garbage in the old segment, in the copy and in the new one.
    fn garbage(&self) -> [u64; 3] {
        [self.old.garbage(), self.copy.garbage(), self.new.garbage()]
    }
}

/// The copy of a record replaces it in the index, unless it was overwritten or removed; what nothing points to
/// is counted as garbage. `stale` says what is wrong if the copy wins.
fn swap_against(new: Option<&'static str>, stale: &'static str) {
    let moving = Moving::start();
    let mover = with(&moving, |moving| moving.move_key());
    let reader = with(&moving, move |moving| {
        let seen = [moving.value(), moving.value()];
        assert!(seen[0].as_deref() != new || seen[1].as_deref() == new, "{stale}");
    });
    match new {
        Some(value) => moving.set(&moving.new, value),
        None => moving.index.remove("key", moving.new.number, LEN),
    }
    assert_eq!(moving.value().as_deref(), new, "{stale}");
    mover.join().unwrap();
    reader.join().unwrap();
    assert_eq!(moving.value().as_deref(), new, "{stale}");
    assert_eq!(moving.index.garbage(), moving.garbage().iter().sum::<u64>());
    let removal = if new.is_none() { LEN } else { 0 };
    assert_eq!(moving.garbage()[1..], [LEN, removal].map(u64::from));
}

// What the faults do that take more than a line.

impl Index {
    pub(crate) fn look_then_move(&self, old: &HashSet<u64>, key: &str, copy: &Entry) {
        let entries = self.entries.pin();
        if entries.get(key.as_bytes()).is_some_and(|entry| old.contains(&entry.segment)) {
            entries.insert(key.into(), *copy);
        } else {
            self.add_garbage(copy.segment, copy.len);
        }
    }

    pub(crate) fn move_what_is_there(&self, key: &str, copy: &Entry) {
        self.entries.pin().compute(key.into(), |current| match current {
            Some(_) => Operation::Insert(*copy),
            None => Operation::Abort(()),
        });
    }

    pub(crate) fn move_unless_newer(&self, old: &HashSet<u64>, key: &str, copy: &Entry) {
        self.entries.pin().compute(key.into(), |current| match current {
            Some((_, entry)) if !old.contains(&entry.segment) => Operation::Abort(()),
            _ => Operation::Insert(*copy),
        });
    }
}
