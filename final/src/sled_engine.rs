use crate::data_dir::DataDir;
use crate::disk::{Access, Dir};
use crate::{EngineKind, KvsEngine, KvsError, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// The embedded database sled as an engine.
///
/// Each write is flushed before it is acknowledged, so that it survives the end of the process. It
/// need not survive a power loss: on Linux sled's `flush` ends in `sync_file_range`, which leaves the
/// disk's own cache and the file's length alone, and values that are too long for its log go into
/// files that it doesn't sync at all. That is our [`Durability::Os`](crate::Durability::Os).
#[derive(Clone)]
pub struct SledKvsEngine {
    // Dropped in this order: sled lets go of its files before the directory is free.
    db: sled::Db,
    _dir: Arc<DataDir>,
}

impl SledKvsEngine {
    /// Opens the database in a directory, which is made if need be.
    ///
    /// # Errors
    /// If the directory is in use or another engine's, or if sled cannot open it.
    pub fn open(dir: impl Into<PathBuf>) -> Result<SledKvsEngine> {
        let dir = DataDir::open(dir, EngineKind::Sled, Access::Write)?;
        let names = dir.list().map_err(KvsError::at(dir.path()))?;
        let db = sled::open(dir.path().join("sled")).map_err(engine_error)?;
        if !names.iter().any(|name| name == "sled") {
            (&dir as &dyn Dir).warn_of_new_store();
        }
        Ok(SledKvsEngine { db, _dir: Arc::new(dir) })
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

impl KvsEngine for SledKvsEngine {
    fn set(&self, key: String, value: String) -> Result<()> {
        self.db.insert(key, value.into_bytes()).map_err(engine_error)?;
        self.db.flush().map(drop).map_err(engine_error)
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        match self.db.get(key).map_err(engine_error)? {
            None => Ok(None),
            Some(value) => String::from_utf8(value.to_vec()).map(Some).map_err(engine_error),
        }
    }

    fn remove(&self, key: String) -> Result<()> {
        let removed = self.db.remove(key).map_err(engine_error)?;
        self.db.flush().map_err(engine_error)?;
        removed.map(drop).ok_or(KvsError::KeyNotFound)
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
