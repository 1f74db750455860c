//! A compaction moves a key in the index, which writers and readers have at the same time.

use super::super::format::segment::Segment;
use super::super::index::reader::Reader;
use super::super::index::{Entry, Index};
use super::with;
use crate::disk::{Access, Disk, SimulatedDisk};
use crate::models::model::Model;
use crate::sync::map::Operation;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

pub(super) fn models() -> [Model; 2] {
    [
        Model::new("swap against set", swap_against_set)
            .finds("compaction looks, then moves", "the newer write has lost")
            .finds("compaction moves what is there", "the newer write has lost"),
        Model::new("swap against remove", swap_against_remove)
            .finds("compaction looks, then moves", "a removed key is back")
            .finds("compaction moves what is not there", "a removed key is back"),
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
        self.index.insert("key".into(), Entry::new(segment.number, 20, LEN, value));
    }

    /// What a compaction does with the key once its record is copied.
    fn move_key(&self) {
        let old = HashSet::from([self.old.number]);
        let copy = Entry::new(self.copy.number, 20, LEN, "old");
        self.index.move_out_of(&old, "key", &copy);
    }

    fn value(&self) -> Option<String> {
        Reader::new(Arc::clone(&self.index)).get("key").unwrap()
    }

    fn is_in(&self, segment: &Segment) -> bool {
        self.index.is_at("key", segment.number, 20)
    }

    /// Bytes of garbage in the old segment, in the copy and in the new one.
    fn garbage(&self) -> [u64; 3] {
        [self.old.garbage(), self.copy.garbage(), self.new.garbage()]
    }
}

/// The copy of a record replaces it in the index, unless it was overwritten; what nothing points to
/// is counted as garbage.
fn swap_against_set() {
    let moving = Moving::start();
    let mover = with(&moving, |moving| moving.move_key());
    let reader = with(&moving, |moving| {
        let seen = [moving.value().unwrap(), moving.value().unwrap()];
        assert!(seen != ["new", "old"], "the newer write has lost");
    });
    moving.set(&moving.new, "new");
    assert_eq!(moving.value().as_deref(), Some("new"), "the newer write has lost");
    mover.join().unwrap();
    reader.join().unwrap();
    assert!(moving.is_in(&moving.new), "the newer write has lost");
    assert_eq!(moving.index.garbage(), moving.garbage().iter().sum::<u64>());
    assert_eq!(moving.copy.garbage(), u64::from(LEN));
}

/// A key that is removed before its copy replaces it stays removed.
fn swap_against_remove() {
    let moving = Moving::start();
    let mover = with(&moving, |moving| moving.move_key());
    let reader = with(&moving, |moving| {
        let seen = [moving.value(), moving.value()];
        assert!(seen[0].is_some() || seen[1].is_none(), "a removed key is back");
    });
    moving.index.remove("key", moving.new.number, LEN);
    assert_eq!(moving.value(), None, "a removed key is back");
    mover.join().unwrap();
    reader.join().unwrap();
    assert_eq!(moving.value(), None, "a removed key is back");
    assert_eq!(moving.index.garbage(), moving.garbage().iter().sum::<u64>());
    assert_eq!(moving.garbage()[1..], [u64::from(LEN); 2]);
}

// What the faults do that take more than a line.

impl Index {
    pub(crate) fn look_then_move(&self, old: &HashSet<u64>, key: &str, copy: &Entry) {
        let entries = self.entries.pin();
        if entries.get(key).is_some_and(|entry| old.contains(&entry.segment)) {
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
