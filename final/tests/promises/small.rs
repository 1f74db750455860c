//! A storage engine of the shape of ours, in memory and as small as can be, with one of the mistakes
//! that such engines are known for, or with none. Where the mistake opens a window, the thread lets
//! others run, so that it is not a matter of luck.

use kvs_final::{KvsEngine, KvsError, Result};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::{self, yield_now};

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// An overwrite takes the old entry out of the index before it puts the new one in, as the skip
    /// list of crossbeam 0.1.3 does.
    UnlinksFirst,
    /// A cache is told of a write before the index is.
    StaleRead,
    /// A removal during a compaction relies on the compaction to drop the record.
    LosesRemove,
    /// The index is changed before the bytes are in the log.
    PublishesEarly,
    /// The compactor puts the copy into the index whatever is there by then.
    SwapsBlindly,
    /// A reader opens the file by name, after the compactor has deleted it.
    DeletesUnderReader,
    /// Whether there is something to remove is decided before the writer's turn comes.
    RemovesTwice,
    /// A write is acknowledged when it waits for its turn.
    AcknowledgesEarly,
}

impl Bug {
    pub(crate) const ALL: [Bug; 8] = [
        Bug::UnlinksFirst,
        Bug::StaleRead,
        Bug::LosesRemove,
        Bug::PublishesEarly,
        Bug::SwapsBlindly,
        Bug::DeletesUnderReader,
        Bug::RemovesTwice,
        Bug::AcknowledgesEarly,
    ];
}

/// The bytes of a file, by its place in the log.
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
pub(crate) struct Small {
    bug: Option<Bug>,
    shared: Arc<Shared>,
}

impl Small {
    pub(crate) fn new(bug: Option<Bug>) -> Small {
        let shared = Shared::default();
        shared.files.write().unwrap().insert(0, File::default());
        Small { bug, shared: Arc::new(shared) }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Lets others run, if this is where the mistake is.
    fn window(&self, bug: Bug) -> bool {
        if self.has(bug) {
            (0..3).for_each(|_| yield_now());
        }
        self.has(bug)
    }

    fn read(&self, entry: &Entry) -> Result<String> {
        let file = match self.window(Bug::DeletesUnderReader) {
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
        if self.has(Bug::PublishesEarly) {
            file.write().unwrap().resize(start + len, b'0');
            self.publish(key, entry);
            self.window(Bug::PublishesEarly);
            file.write().unwrap()[start..].copy_from_slice(value.as_bytes());
        } else {
            file.write().unwrap().extend(value.as_bytes());
            self.publish(key, entry);
        }
    }

    fn publish(&self, key: &str, entry: Entry) {
        if self.has(Bug::UnlinksFirst) {
            self.shared.index.write().unwrap().remove(key);
            self.window(Bug::UnlinksFirst);
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
            let blindly = self.window(Bug::SwapsBlindly);
            let mut index = self.shared.index.write().unwrap();
            if blindly || index.get(&key).is_some_and(|now| now.number <= old) {
                index.insert(key, moved);
            }
        }
        self.shared.files.write().unwrap().retain(|number, _| *number >= copy);
        self.shared.compacting.store(false, Ordering::SeqCst);
    }
}

impl KvsEngine for Small {
    fn set(&self, key: String, value: String) -> Result<()> {
        if self.has(Bug::AcknowledgesEarly) {
            let same = self.clone();
            thread::spawn(move || same.append(*same.shared.tail.lock().unwrap(), &key, &value));
            return Ok(());
        }
        let tail = self.shared.tail.lock().unwrap();
        if self.has(Bug::StaleRead) {
            self.shared.cache.write().unwrap().remove(&key);
            self.window(Bug::StaleRead);
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
        if let Some(value) = value.as_ref().filter(|_| self.has(Bug::StaleRead)) {
            self.shared.cache.write().unwrap().insert(key, value.clone());
        }
        Ok(value)
    }

    fn remove(&self, key: String) -> Result<()> {
        let exists = || self.shared.index.read().unwrap().contains_key(&key);
        let early = self.has(Bug::RemovesTwice).then(exists);
        self.window(Bug::RemovesTwice);
        let _tail = self.shared.tail.lock().unwrap();
        if !early.unwrap_or_else(exists) {
            return Err(KvsError::KeyNotFound);
        }
        self.shared.cache.write().unwrap().remove(&key);
        let compacts = self.shared.compacting.load(Ordering::SeqCst);
        if !(compacts && self.has(Bug::LosesRemove)) {
            self.shared.index.write().unwrap().remove(&key);
        }
        Ok(())
    }
}
