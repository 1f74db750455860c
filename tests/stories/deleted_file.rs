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
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::RwLock;
use tempfile::TempDir;

/// Where a record is.
#[derive(Clone, Copy)]
struct Place {
    generation: u64,
    offset: u64,
    len: usize,
}

/// A store whose index says where records are by the number of a log. Its one record is the value.
struct ByName {
    dir: PathBuf,
    index: RwLock<HashMap<&'static str, Place>>,
}

impl ByName {
    fn new(dir: &Path, key: &'static str, value: &str) -> ByName {
        let place = Place { generation: 1, offset: 0, len: value.len() };
        let store = ByName { dir: dir.to_owned(), index: RwLock::default() };
        fs::write(store.log(1), value).unwrap();
        store.index.write().unwrap().insert(key, place);
        store
    }

    fn log(&self, generation: u64) -> PathBuf {
        self.dir.join(format!("{generation}.log"))
    }

    /// The first half of a read. The lock is held for as long as the index is looked at.
    fn look_up(&self, key: &str) -> Place {
        self.index.read().unwrap()[key]
    }

    /// The second half.
    fn read(&self, place: Place) -> std::io::Result<String> {
        let log = File::open(self.log(place.generation))?;
        Ok(read_at(&log, place))
    }

    /// All records into the next log, then the index, and only then the old log is deleted.
    fn compact(&self) {
        fs::copy(self.log(1), self.log(2)).unwrap();
        for place in self.index.write().unwrap().values_mut() {
            place.generation = 2;
        }
        fs::remove_file(self.log(1)).unwrap();
    }
}

fn read_at(log: &File, place: Place) -> String {
    let mut value = vec![0; place.len];
    log.read_exact_at(&mut value, place.offset).unwrap();
    String::from_utf8(value).unwrap()
}

#[test]
fn a_reader_that_opens_the_log_by_name_finds_it_deleted() {
    let dir = TempDir::new().unwrap();
    let store = ByName::new(dir.path(), "key", "value");
    let place = store.look_up("key");
    // Here the reader's thread loses its turn.
    store.compact();
    let error = store.read(place).unwrap_err();
    println!("a key that is there answers: {error}");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(store.read(store.look_up("key")).unwrap(), "value", "it was there all the time");
}

#[test]
fn a_log_that_is_open_stays_readable_after_it_is_deleted() {
    let dir = TempDir::new().unwrap();
    let store = ByName::new(dir.path(), "key", "value");
    let place = store.look_up("key");
    let log = File::open(store.log(place.generation)).unwrap();
    store.compact();
    assert!(!store.log(1).exists());
    assert_eq!(read_at(&log, place), "value");
}
