//! The index that is updated before the bytes can be read.
//!
//! A writer that appends through a `BufWriter` and then tells the index has told too early: the bytes
//! are in the writer's memory, and a reader, which has a file of its own, does not find them there.
//! As long as everybody waited for the same lock nobody could see it. So the order is: append, hand
//! over to the operating system, publish.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, RwLock};
use tempfile::TempDir;

/// Where the value of each key is: from which byte on, and how many.
type Index = RwLock<HashMap<String, (u64, usize)>>;

/// A writer behind a lock, readers with a file of their own, and the index between the two.
struct Hasty {
    writer: Mutex<(BufWriter<File>, u64)>,
    reader: File,
    index: Index,
}

impl Hasty {
    fn open(path: &Path) -> Hasty {
        let writer = Mutex::new((BufWriter::new(File::create(path).unwrap()), 0));
        Hasty { writer, reader: File::open(path).unwrap(), index: Index::default() }
    }

    /// `before_flush` is what other threads do while this one is there.
    fn set(&self, key: &str, value: &str, before_flush: impl FnOnce()) {
        let mut writer = self.writer.lock().unwrap();
        let (log, end) = &mut *writer;
        log.write_all(value.as_bytes()).unwrap();
        self.index.write().unwrap().insert(key.to_owned(), (*end, value.len()));
        *end += value.len() as u64;
        before_flush();
        log.flush().unwrap();
    }

    fn get(&self, key: &str) -> io::Result<String> {
        let (offset, len) = self.index.read().unwrap()[key];
        let mut value = vec![0; len];
        self.reader.read_exact_at(&mut value, offset)?;
        Ok(String::from_utf8(value).unwrap())
    }
}

#[test]
fn a_reader_finds_an_entry_whose_bytes_are_not_there_yet() {
    let dir = TempDir::new().unwrap();
    let store = Hasty::open(&dir.path().join("log"));
    store.set("first", "one", || {});
    store.set("second", "two", || {
        let error = store.get("second").unwrap_err();
        println!("a key that is being written answers: {error}");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(store.get("first").unwrap(), "one");
    });
    assert_eq!(store.get("second").unwrap(), "two", "after the flush it is there");
}
