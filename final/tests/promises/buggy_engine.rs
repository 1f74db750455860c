//! A storage engine of the shape of ours, in memory and as small as can be, with one of the bugs
//! that such engines are known for, or with none. Where the bug opens a window, the thread lets
//! others run, so that it is not a matter of luck.

use kvs_final::{KvsEngine, KvsError, Result};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::{self, yield_now};

/// An overwrite takes the old entry out of the index before it puts the new one in, as the skip list
/// of crossbeam 0.1.3 does.
pub(crate) const UNLINKS_FIRST: &str = "an index that unlinks first";
/// A cache is told of a write before the index is.
pub(crate) const STALE_READ: &str = "a stale read";
/// A removal during a compaction relies on the compaction to drop the record.
pub(crate) const LOST_REMOVAL: &str = "a lost removal";
/// The index is changed before the bytes are in the log.
pub(crate) const EARLY_KEY: &str = "a key published before its bytes";
/// The compactor puts the copy into the index whatever is there by then.
pub(crate) const BLIND_SWAP: &str = "compaction without compare-and-swap";
/// A reader opens the file by name, after the compactor has deleted it.
pub(crate) const DELETED_FILE: &str = "a file deleted under a reader";
/// Whether there is something to remove is decided before the writer's turn comes.
pub(crate) const REMOVED_TWICE: &str = "a value removed twice";
/// A write is acknowledged when it waits for its turn.
pub(crate) const EARLY_ACKNOWLEDGEMENT: &str = "an early acknowledgement";

/// The bytes of a file, by its number.
type File = Arc<RwLock<Vec<u8>>>;

#[derive(Clone)]
struct Entry {
    number: u32,
    file: File,
    start: usize,
    len: usize,
}

#[derive(Default)]
struct Shared {
    index: RwLock<HashMap<String, Entry>>,
    /// The names of the files.
    files: RwLock<HashMap<u32, File>>,
    cache: RwLock<HashMap<String, String>>,
    /// The number of the file that is written to. Held by the one that writes.
    tail: Mutex<u32>,
    compacting: AtomicBool,
}

#[derive(Clone)]
pub(crate) struct BuggyEngine {
    /// Empty if it has none.
    bug: &'static str,
    shared: Arc<Shared>,
}

impl BuggyEngine {
    pub(crate) fn new(bug: &'static str) -> BuggyEngine {
        let shared = Shared::default();
        shared.files.write().unwrap().insert(0, File::default());
        BuggyEngine { bug, shared: Arc::new(shared) }
    }

    fn has(&self, bug: &str) -> bool {
        self.bug == bug
    }

    /// Lets others run, if this is where the bug is.
    fn window(&self, bug: &str) -> bool {
        if self.has(bug) {
            (0..3).for_each(|_| yield_now());
        }
        self.has(bug)
    }

    fn read(&self, entry: &Entry) -> Result<String> {
        let file = match self.window(DELETED_FILE) {
            true => self.shared.files.read().unwrap().get(&entry.number).cloned(),
            false => Some(Arc::clone(&entry.file)),
        };
        let file = file.ok_or(io::Error::from(io::ErrorKind::NotFound))?;
        let bytes = &file.read().unwrap()[entry.start..entry.start + entry.len];
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn append(&self, number: u32, key: &str, value: &str) {
        let file = Arc::clone(&self.shared.files.read().unwrap()[&number]);
        let (start, len) = (file.read().unwrap().len(), value.len());
        let entry = Entry { number, file: Arc::clone(&file), start, len };
        if self.has(EARLY_KEY) {
            file.write().unwrap().resize(start + len, b'0');
            self.publish(key, entry);
            self.window(EARLY_KEY);
            file.write().unwrap()[start..].copy_from_slice(value.as_bytes());
        } else {
            file.write().unwrap().extend(value.as_bytes());
            self.publish(key, entry);
        }
    }

    fn publish(&self, key: &str, entry: Entry) {
        if self.has(UNLINKS_FIRST) {
            self.shared.index.write().unwrap().remove(key);
            self.window(UNLINKS_FIRST);
        }
        self.shared.index.write().unwrap().insert(key.to_owned(), entry);
    }

    /// Copies what is live into a new file and deletes the old one.
    pub(crate) fn compact(&self) {
        self.shared.compacting.store(true, Ordering::SeqCst);
        let (old, copy) = {
            let mut tail = self.shared.tail.lock().unwrap();
            let (old, copy) = (*tail, *tail + 1);
            *tail += 2;
            let mut files = self.shared.files.write().unwrap();
            files.insert(copy, File::default());
            files.insert(*tail, File::default());
            (old, copy)
        };
        let file = Arc::clone(&self.shared.files.read().unwrap()[&copy]);
        let live = self.shared.index.read().unwrap().clone();
        for (key, entry) in live.into_iter().filter(|(_, entry)| entry.number <= old) {
            let bytes = entry.file.read().unwrap()[entry.start..entry.start + entry.len].to_vec();
            let start = file.read().unwrap().len();
            file.write().unwrap().extend(bytes);
            let moved = Entry { number: copy, file: Arc::clone(&file), start, ..entry };
            let blindly = self.window(BLIND_SWAP);
            let mut index = self.shared.index.write().unwrap();
            if blindly || index.get(&key).is_some_and(|now| now.number <= old) {
                index.insert(key, moved);
            }
        }
        self.shared.files.write().unwrap().retain(|number, _| *number >= copy);
        self.shared.compacting.store(false, Ordering::SeqCst);
    }
}

impl KvsEngine for BuggyEngine {
    fn set(&self, key: String, value: String) -> Result<()> {
        if self.has(EARLY_ACKNOWLEDGEMENT) {
            let same = self.clone();
            thread::spawn(move || same.append(*same.shared.tail.lock().unwrap(), &key, &value));
            return Ok(());
        }
        let tail = self.shared.tail.lock().unwrap();
        if self.has(STALE_READ) {
            self.shared.cache.write().unwrap().remove(&key);
            self.window(STALE_READ);
        }
        self.append(*tail, &key, &value);
        Ok(())
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        if let Some(value) = self.shared.cache.read().unwrap().get(&key) {
            return Ok(Some(value.clone()));
        }
        let entry = self.shared.index.read().unwrap().get(&key).cloned();
        let value = entry.map(|entry| self.read(&entry)).transpose()?;
        if let Some(value) = value.as_ref().filter(|_| self.has(STALE_READ)) {
            self.shared.cache.write().unwrap().insert(key, value.clone());
        }
        Ok(value)
    }

    fn remove(&self, key: String) -> Result<()> {
        let exists = || self.shared.index.read().unwrap().contains_key(&key);
        let early = self.has(REMOVED_TWICE).then(exists);
        self.window(REMOVED_TWICE);
        let _tail = self.shared.tail.lock().unwrap();
        if !early.unwrap_or_else(exists) {
            return Err(KvsError::KeyNotFound);
        }
        self.shared.cache.write().unwrap().remove(&key);
        let compacts = self.shared.compacting.load(Ordering::SeqCst);
        if !(compacts && self.has(LOST_REMOVAL)) {
            self.shared.index.write().unwrap().remove(&key);
        }
        Ok(())
    }
}
