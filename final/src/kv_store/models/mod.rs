//! The store on its simulated disk, without threads of its own: a scene brings them.
#![allow(clippy::unwrap_used)] // as in all tests

mod log;
mod moving;

use super::Shared;
use super::commit::Op;
use crate::disk::SimulatedDisk;
use crate::models::model::Model;
use crate::models::with;
use crate::{Durability, KvStore, KvStoreOptions, KvsEngine, KvsError, Result, Write};
use std::io::ErrorKind;

pub(crate) fn models() -> Vec<Model> {
    let mut models = vec![
        Model::new("publish after append", publish_after_append).max_preemptions(3),
        Model::new("publish after sync", publish_after_sync),
        Model::new("overwrite beside a reader", overwrite),
        Model::new("pin against delete", pin_against_delete).max_preemptions(3),
        Model::new("a sync fails", sync_fails),
        Model::new("two compare and set", two_compare_and_set),
        Model::new("writers wait for the compactor", back_pressure).max_preemptions(2),
        Model::new("keys beside a compaction", keys_beside_compaction).max_preemptions(3),
    ];
    models.extend(log::models().into_iter().chain(moving::models()));
    models
}

const KEY: &str = "key";
// Too long to be kept in the index: a read goes to the segment.
const FIRST: &str = "the first value, which is long";
const SECOND: &str = "the second value, which is long";

/// An empty store. At level `always` writers share what one of them commits; at the others each commits
/// its own, and they share write calls (`models/log.rs`).
fn store_on(disk: SimulatedDisk, durability: Durability) -> KvStore {
    let options = KvStoreOptions::new().background(false).durability(durability);
    options.segment_bytes(1 << 10).disk(disk).open("/").unwrap()
}

fn empty_store() -> KvStore {
    store_on(SimulatedDisk::new(), Durability::Always)
}

fn store_with_first() -> KvStore {
    let store = empty_store();
    store.put(KEY, FIRST).unwrap();
    store
}

fn set(key: &str, value: &str) -> Write {
    Write::Set { key: key.to_owned(), value: value.to_owned() }
}

impl KvStore {
    /// A write without the look whether a compaction is due, which nobody here waits for.
    fn put(&self, key: &str, value: &str) -> Result<()> {
        self.0.commit(Op::new(set(key, value)))
    }

    /// Puts the second value in the place of the first. Returns whether that was there.
    fn compare_and_put(&self) -> bool {
        let [expected, new] = [FIRST, SECOND].map(|value| Some(value.to_owned()));
        let write = Write::CompareAndSet { key: KEY.to_owned(), expected, new };
        match self.0.commit(Op::new(write)) {
            Ok(()) => true,
            Err(KvsError::Mismatch) => false,
            Err(other) => panic!("{other}"),
        }
    }

    fn value(&self, key: &str) -> Option<String> {
        self.get(key.to_owned()).unwrap()
    }

    /// Reads twice: what is seen must be there in full, and not be older the second time.
    fn watch(&self) {
        let seen = [self.value(KEY), self.value(KEY)];
        assert!(seen.is_sorted(), "a value is seen, and then the one before it");
    }
}

/// A value that readers find is there in full, and it stays.
fn publish_after_append() {
    let store = empty_store();
    let writer = with(&store, |store| {
        store.put(KEY, FIRST).unwrap();
        assert_eq!(store.value(KEY).as_deref(), Some(FIRST));
    });
    let reader = with(&store, |store| store.watch());
    store.watch();
    writer.join().unwrap();
    reader.join().unwrap();
}

/// At level `always` a power loss takes nothing that a reader has found, whichever thread wrote it.
fn publish_after_sync() {
    let disk = SimulatedDisk::new();
    let store = store_on(disk.clone(), Durability::Always);
    let writer = with(&store, |store| store.put(KEY, FIRST).unwrap());
    let look = || {
        // No write is under way then.
        let is_found = store.value(KEY).is_some();
        assert!(!is_found || disk.is_durable(), "what is found isn't synced");
    };
    look();
    store.put("other", "").unwrap();
    look();
    writer.join().unwrap();
}

/// A key that has a value has one at any moment while it gets another.
fn overwrite() {
    let store = store_with_first();
    let reader = with(&store, |store| {
        assert!(store.value(KEY).is_some(), "a key that has a value has none");
        store.watch();
    });
    store.put(KEY, SECOND).unwrap();
    assert_eq!(store.value(KEY).as_deref(), Some(SECOND));
    reader.join().unwrap();
}

/// Who reads from a segment that compaction deletes reads on.
fn pin_against_delete() {
    let store = store_with_first();
    let reader = with(&store, |store| assert_eq!(store.value(KEY).as_deref(), Some(FIRST)));
    store.compact().unwrap();
    reader.join().unwrap();
    assert_eq!(store.value(KEY).as_deref(), Some(FIRST));
}

/// A sync that fails is the last one: another would succeed, and acknowledge what is lost. Then
/// nothing is written any more, and reads go on.
fn sync_fails() {
    let disk = SimulatedDisk::new();
    let store = store_on(disk.clone(), Durability::Os);
    store.put(KEY, FIRST).unwrap();
    disk.fail(0, ErrorKind::Other);
    let fails = |store: KvStore| {
        assert!(store.sync().is_err(), "a sync succeeds on what another has lost");
    };
    let other = with(&store, fails);
    fails(store.clone());
    other.join().unwrap();
    assert!(store.put(KEY, SECOND).is_err());
    assert_eq!(store.value(KEY).as_deref(), Some(FIRST));
}

/// At level `always`, where a batch is decided before readers can see any of it: of two that expect the same
/// value and give another, one wins, also if they are in one batch behind a third write.
fn two_compare_and_set() {
    let store = store_with_first();
    let one = with(&store, |store| store.compare_and_put());
    let other = with(&store, |store| store.compare_and_put());
    store.put("other", "").unwrap();
    let won = [one.join().unwrap(), other.join().unwrap()];
    assert!(won[0] != won[1], "one of them wins");
    assert_eq!(store.value(KEY).as_deref(), Some(SECOND));
}

/// A writer that waits for the compactor goes on when there are no more steps; who brings a round doesn't wait, but the
/// log's thread does in its place, and the answer comes later.
fn back_pressure() {
    let options = KvStoreOptions::new().background(false).durability(Durability::Os);
    let options = options.segment_bytes(1 << 10).spare_garbage(1).compact_at(1);
    let store = options.disk(SimulatedDisk::new()).open("/").unwrap();
    (0..15).for_each(|_| store.put(KEY, FIRST).unwrap());
    let Shared { compactor, group_commit, .. } = &*store.0;
    compactor.throttle.note(true);
    assert!(compactor.holds_up());
    let leader = with(&store, |store| {
        store.0.group_commit.serve(|| store.0.compactor.admit_batch(), || ());
    });
    let writer = with(&store, |store| drop(store.0.compactor.admit(100)));
    group_commit.commit_then([(Op::new(set(KEY, SECOND)), Result::unwrap)]);
    assert_eq!(store.value(KEY).as_deref(), Some(FIRST), "it didn't wait for the compactor");
    compactor.cancel();
    writer.join().unwrap();
    group_commit.end();
    leader.join().unwrap();
    assert_eq!(store.value(KEY).as_deref(), Some(SECOND));
}

/// Who walks through the keys finds each, whatever a compaction moves meanwhile.
fn keys_beside_compaction() {
    let store = store_with_first();
    let compactor = with(&store, |store| store.compact().unwrap());
    let (mut cursor, mut found) = (None, Vec::new());
    loop {
        let page = store.keys(cursor, 1).unwrap();
        found.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert!(found.contains(&KEY.to_owned()), "a key that is there is not found");
    compactor.join().unwrap();
}
