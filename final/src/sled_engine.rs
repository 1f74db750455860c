use crate::data_dir::DataDir;
use crate::disk::{Access, Dir, FileId};
use crate::process::Opener;
use crate::{EngineKind, KvsEngine, KvsError, Page, Result, os};
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;

/// Where sled's log is.
const LOG: &str = "sled/db";

/// How many bytes of keys and values a page of keys reads.
const MAX_PAGE: usize = 1 << 20;

/// The embedded database sled as an engine.
///
/// Each write is flushed before it is acknowledged, so that it survives the end of the process. It
/// need not survive a power loss: on Linux sled's `flush` ends in `sync_file_range`, which leaves the
/// disk's own cache and the file's length alone, and values that are too long for its log go into
/// files that it doesn't sync at all. That is our [`Durability::Os`](crate::Durability::Os).
///
/// sled opens files by name while it runs, so it is given the directory's descriptor for a path, below
/// `/proc/self/fd`: moved, it goes on where it is. Before and after each write it is seen that the
/// marker and the file with sled's log are still there, and otherwise the write is refused. What that
/// leaves open: a write that was refused because the files went in its course may be seen by reads; files
/// of very long values, and sled's snapshots, are not looked at; and without `/proc` it cannot be opened. On another system
/// than Linux a path is what sled gets, and what has that name is what it opens.
///
/// As a [`KvStore`](crate::KvStore), it is to be opened after a `fork`. sled has a lock of its own on its
/// log, which a child keeps until its end, also after its parent's close.
#[derive(Clone)]
pub struct SledKvsEngine {
    // Dropped in this order: sled lets go of its files before the directory is free.
    db: sled::Db,
    dir: Arc<Owned>,
}

struct Owned {
    dir: DataDir,
    /// The file that all of the data is in, but for very long values.
    log: FileId,
    opener: Opener,
}

impl SledKvsEngine {
    /// Opens the database in a directory, which is made if need be.
    ///
    /// # Errors
    /// If the directory is in use or another engine's, or if sled cannot open it.
    pub fn open(dir: impl Into<PathBuf>) -> Result<SledKvsEngine> {
        let dir = DataDir::open(dir, EngineKind::Sled, Access::Write)?;
        let is_new = dir.id("sled").is_err();
        // It keeps the path and opens some of its files by it later on. So it gets one that leads to
        // this very directory, for as long as that is open.
        let path = os::path_of(&dir.dir, dir.path()).join("sled");
        let db = sled::open(path).map_err(engine_error)?;
        let log = dir.id(LOG).map_err(KvsError::at(&dir.path().join(LOG)))?;
        if is_new {
            (&dir as &dyn Dir).warn_of_new_store();
        }
        Ok(SledKvsEngine { db, dir: Arc::new(Owned { dir, log, opener: Opener::this_process() }) })
    }

    /// Changes something, and flushes it. Refuses that in a child, and where the files are not there
    /// any more.
    fn change<T>(&self, change: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T> {
        self.dir.see()?;
        let changed = change(&self.db).map_err(engine_error)?;
        self.db.flush().map_err(engine_error)?;
        self.dir.see()?;
        Ok(changed)
    }

    /// Hands each key with its value to `take`, in the order of the keys. Another program may have
    /// put bytes there that are no text.
    pub(crate) fn for_each(&self, mut take: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        self.db.iter().try_for_each(|pair| {
            let (key, value) = pair.map_err(engine_error)?;
            take(&key, &value)
        })
    }
}

impl Owned {
    fn see(&self) -> Result<()> {
        self.opener.check()?;
        self.dir.confirm().map_err(KvsError::at(self.dir.path()))?;
        self.dir.see(LOG, self.log).map_err(KvsError::at(&self.dir.path().join(LOG)))
    }
}

impl Drop for SledKvsEngine {
    fn drop(&mut self) {
        if self.dir.opener.check().is_err() {
            // The threads to wait for are the parent's, and so is the directory.
            std::mem::forget((self.db.clone(), Arc::clone(&self.dir)));
        }
    }
}

impl KvsEngine for SledKvsEngine {
    fn set(&self, key: String, value: String) -> Result<()> {
        self.change(|db| db.insert(key, value.into_bytes())).map(drop)
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        match self.db.get(key).map_err(engine_error)? {
            None => Ok(None),
            Some(value) => String::from_utf8(value.to_vec()).map(Some).map_err(engine_error),
        }
    }

    fn remove(&self, key: String) -> Result<()> {
        self.change(|db| db.remove(key))?.map(drop).ok_or(KvsError::KeyNotFound)
    }

    fn compare_and_set(
        &self,
        key: String,
        expected: Option<String>,
        new: Option<String>,
    ) -> Result<()> {
        let new = new.map(String::into_bytes);
        let swapped = self.change(|db| db.compare_and_swap(key, expected.as_ref(), new))?;
        swapped.map_err(|_| KvsError::Mismatch)
    }

    fn write_batch(&self, writes: Vec<(String, Option<String>)>) -> Result<()> {
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key.as_bytes(), value.into_bytes()),
                None => batch.remove(key.as_bytes()),
            }
        }
        self.change(|db| db.apply_batch(batch))
    }

    /// sled counts them one by one.
    fn len(&self) -> Result<u64> {
        Ok(self.db.len() as u64)
    }

    /// In their order; a cursor is the key before. Keys that another program has put there and that are no text
    /// are left out.
    fn keys(&self, cursor: Option<String>, limit: usize) -> Result<Page> {
        let from = cursor.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let (mut page, mut bytes) = (Page { keys: Vec::new(), cursor: cursor.clone() }, 0);
        for pair in self.db.range::<&String, _>((from, Bound::Unbounded)) {
            let (key, value) = pair.map_err(engine_error)?;
            if page.keys.len() >= limit.max(1) || bytes > MAX_PAGE {
                return Ok(page);
            }
            bytes += key.len() + value.len();
            if let Ok(key) = str::from_utf8(&key) {
                page.keys.push(key.to_owned());
                page.cursor = Some(key.to_owned());
            }
        }
        Ok(Page { cursor: None, ..page })
    }

    /// Only what sled knows without reading all of its data; it would count the keys one by one.
    /// Right after the first open it may know of no bytes: sled writes its first ones by itself.
    fn stats_text(&self) -> String {
        match self.db.size_on_disk() {
            Ok(bytes) => format!("disk_bytes {bytes}\n"),
            Err(error) => {
                let error = error.to_string().replace('\n', " ");
                format!("last_error the size on disk is not known ({error})\n")
            }
        }
    }
}

fn engine_error(error: impl std::error::Error) -> KvsError {
    KvsError::Engine(error.to_string().into())
}
