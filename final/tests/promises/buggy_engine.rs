//! A storage engine of the shape of ours, in memory and as small as can be, with one of the bugs
//! that such engines are known for, or with none. Where the bug opens a window, the thread lets
//! others run, so that it is not a matter of luck.

use super::*;
use kvs_final::{Page, Result};
use std::collections::{HashMap, HashSet};
use std::sync::RwLock;
use std::thread::{ThreadId, yield_now};

/// An overwrite takes the old entry out of the index before it puts the new one in, as the skip list
/// of crossbeam 0.1.3 does.
const UNLINKS_FIRST: &str = "an index that unlinks first";
/// Each thread has a cache, and a write clears that of its own thread alone.
const STALE_READ: &str = "a stale read";
/// A removal during a compaction relies on the compaction to drop the record.
const LOST_REMOVAL: &str = "a lost removal";
/// The index is changed before the bytes are in the log.
const EARLY_KEY: &str = "a key published before its bytes";
/// The compactor puts the copy into the index whatever is there by then.
const BLIND_SWAP: &str = "compaction without compare-and-swap";
/// A reader opens the file by name, after the compactor has deleted it.
const DELETED_FILE: &str = "a file deleted under a reader";
/// Whether there is something to remove is decided before the writer's turn comes.
const REMOVED_TWICE: &str = "a value removed twice";
/// Compare-and-set is a `get`, and then a `set`.
const LOST_UPDATE: &str = "a lost update";
/// A walk through the keys goes on at a number, which a removal gives to the key behind.
const COUNTING_WALK: &str = "a walk that counts the keys";
/// A write is acknowledged when it waits for its turn.
const EARLY_ACKNOWLEDGEMENT: &str = "an early acknowledgement";

#[derive(Clone)]
struct Entry {
    /// The number of the file that it is in.
    file: u32,
    value: Arc<RwLock<String>>,
}

#[derive(Default)]
struct Shared {
    index: RwLock<HashMap<String, Entry>>,
    /// The files that there are.
    files: RwLock<HashSet<u32>>,
    cache: RwLock<HashMap<(ThreadId, String), String>>,
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
        let shared = Shared { files: HashSet::from([0]).into(), ..Shared::default() };
        BuggyEngine { bug, shared: Arc::new(shared) }
    }

    /// Lets others run, if it has this bug. Returns whether it has.
    fn window(&self, bug: &str) -> bool {
        if self.bug == bug {
            (0..3).for_each(|_| yield_now());
        }
        self.bug == bug
    }

    /// Writes to a file, and publishes that in the index.
    fn append(&self, file: u32, key: &str, value: &str) {
        // Nobody writes 0.
        let written = if self.bug == EARLY_KEY { "0" } else { value };
        let entry = Entry { file, value: Arc::new(RwLock::new(written.to_owned())) };
        if self.bug == UNLINKS_FIRST {
            self.shared.index.write().unwrap().remove(key);
            self.window(UNLINKS_FIRST);
        }
        self.shared.index.write().unwrap().insert(key.to_owned(), entry.clone());
        if self.window(EARLY_KEY) {
            value.clone_into(&mut entry.value.write().unwrap());
        }
    }

    /// Clears the cache of a key.
    fn forget(&self, key: &str) {
        self.shared.cache.write().unwrap().remove(&(thread::current().id(), key.to_owned()));
    }

    fn set_at(&self, file: u32, key: &str, value: &str) {
        self.forget(key);
        self.append(file, key, value);
    }

    /// Copies what is live into a new file and deletes the old ones.
    pub(crate) fn compact(&self) {
        self.shared.compacting.store(true, Ordering::SeqCst);
        let copy = {
            let mut tail = self.shared.tail.lock().unwrap();
            *tail += 2;
            self.shared.files.write().unwrap().extend([*tail - 1, *tail]);
            *tail - 1
        };
        let live = self.shared.index.read().unwrap().clone();
        for (key, entry) in live.into_iter().filter(|(_, entry)| entry.file < copy) {
            let blindly = self.window(BLIND_SWAP);
            let mut index = self.shared.index.write().unwrap();
            if blindly || index.get(&key).is_some_and(|now| now.file < copy) {
                index.insert(key, Entry { file: copy, ..entry });
            }
        }
        self.shared.files.write().unwrap().retain(|file| *file >= copy);
        self.shared.compacting.store(false, Ordering::SeqCst);
    }
}

impl KvsEngine for BuggyEngine {
    fn set(&self, key: String, value: String) -> Result<()> {
        if self.bug == EARLY_ACKNOWLEDGEMENT {
            let same = self.clone();
            thread::spawn(move || same.append(*same.shared.tail.lock().unwrap(), &key, &value));
            return Ok(());
        }
        let tail = self.shared.tail.lock().unwrap();
        self.set_at(*tail, &key, &value);
        Ok(())
    }

    fn compare_and_set(
        &self,
        key: String,
        expected: Option<String>,
        new: Option<String>,
    ) -> Result<()> {
        let new = new.unwrap();
        let value = || {
            let index = self.shared.index.read().unwrap();
            index.get(&key).map(|entry| entry.value.read().unwrap().clone())
        };
        let early = (self.bug == LOST_UPDATE).then(value);
        self.window(LOST_UPDATE);
        let tail = self.shared.tail.lock().unwrap();
        if early.unwrap_or_else(value) != expected {
            return Err(KvsError::Mismatch);
        }
        self.set_at(*tail, &key, &new);
        Ok(())
    }

    fn keys(&self, cursor: Option<String>, _: usize) -> Result<Page> {
        const PAGE: usize = 5;
        let mut all: Vec<_> = self.shared.index.read().unwrap().keys().cloned().collect();
        all.sort_unstable();
        let counted = cursor.as_ref().and_then(|cursor| cursor.parse::<usize>().ok());
        let after = || all.partition_point(|key| Some(key) <= cursor.as_ref());
        let keys: Vec<_> =
            all.iter().skip(counted.unwrap_or_else(after)).take(PAGE).cloned().collect();
        let counts = self.window(COUNTING_WALK);
        let next = || {
            if counts {
                Some((counted.unwrap_or(0) + PAGE).to_string())
            } else {
                keys.last().cloned()
            }
        };
        let cursor = if keys.len() == PAGE { next() } else { None };
        Ok(Page { keys, cursor })
    }

    fn write_batch(&self, writes: Vec<(String, Option<String>)>) -> Result<()> {
        writes.into_iter().try_for_each(|(key, value)| self.set(key, value.unwrap()))
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        let cached = (thread::current().id(), key.clone());
        if let Some(value) = self.shared.cache.read().unwrap().get(&cached) {
            return Ok(Some(value.clone()));
        }
        let entry = self.shared.index.read().unwrap().get(&key).cloned();
        let Some(Entry { file, value }) = entry else { return Ok(None) };
        if self.window(DELETED_FILE) && !self.shared.files.read().unwrap().contains(&file) {
            return Err(io::Error::from(io::ErrorKind::NotFound).into());
        }
        let value = value.read().unwrap().clone();
        if self.bug == STALE_READ {
            self.shared.cache.write().unwrap().insert(cached, value.clone());
        }
        Ok(Some(value))
    }

    fn remove(&self, key: String) -> Result<()> {
        let exists = || self.shared.index.read().unwrap().contains_key(&key);
        let early = (self.bug == REMOVED_TWICE).then(exists);
        self.window(REMOVED_TWICE);
        let _tail = self.shared.tail.lock().unwrap();
        if !early.unwrap_or_else(exists) {
            return Err(KvsError::KeyNotFound);
        }
        self.forget(&key);
        let is_lost = self.bug == LOST_REMOVAL && self.shared.compacting.load(Ordering::SeqCst);
        if !is_lost {
            self.shared.index.write().unwrap().remove(&key);
        }
        Ok(())
    }
}
