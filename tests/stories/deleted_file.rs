//! The file that is deleted between a reader's look-up and its open.
//!
//! An index that says "record 7 is in log 1, at byte 300" makes a reader open log 1. Compaction writes
//! log 2, changes the index, and deletes log 1. A reader that has looked before and opens after finds
//! no file. Nobody has made a mistake that a lock around the index would prevent: the place was right
//! when it was read. A file that is open already stays readable when its name is deleted, so the index
//! entries of stage 7 hold the open log (`get_during_overwrites_and_compaction_never_answers_none` in
//! `tests/kv_store.rs`).

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::RwLock;
use tempfile::TempDir;

/// A store whose index says where records are by the number of a log. Each log has one record, the value.
struct ByName {
    dir: PathBuf,
    index: RwLock<HashMap<&'static str, u64>>,
}

impl ByName {
    fn new(dir: &Path, key: &'static str, value: &str) -> ByName {
        let store = ByName { dir: dir.to_owned(), index: RwLock::default() };
        fs::write(store.log(1), value).unwrap();
        store.index.write().unwrap().insert(key, 1);
        store
    }

    fn log(&self, generation: u64) -> PathBuf {
        self.dir.join(format!("{generation}.log"))
    }

    /// The first half of a read. The lock is held for as long as the index is looked at.
    fn look_up(&self, key: &str) -> u64 {
        self.index.read().unwrap()[key]
    }

    /// The second half.
    fn read(&self, generation: u64) -> io::Result<String> {
        io::read_to_string(File::open(self.log(generation))?)
    }

    /// All records into the next log, then the index, and only then the old log is deleted.
    fn compact(&self) {
        fs::copy(self.log(1), self.log(2)).unwrap();
        self.index.write().unwrap().values_mut().for_each(|generation| *generation = 2);
        fs::remove_file(self.log(1)).unwrap();
    }
}

#[test]
fn a_reader_that_opens_the_log_by_name_finds_it_deleted() {
    let dir = TempDir::new().unwrap();
    let store = ByName::new(dir.path(), "key", "value");
    let generation = store.look_up("key");
    // Here the reader's thread loses its turn.
    store.compact();
    let error = store.read(generation).unwrap_err();
    println!("a key that is there answers: {error}");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(store.read(store.look_up("key")).unwrap(), "value", "it was there all the time");
}

#[test]
fn a_log_that_is_open_stays_readable_after_it_is_deleted() {
    let dir = TempDir::new().unwrap();
    let store = ByName::new(dir.path(), "key", "value");
    let log = File::open(store.log(store.look_up("key"))).unwrap();
    store.compact();
    assert!(!store.log(1).exists());
    assert_eq!(io::read_to_string(log).unwrap(), "value");
}
