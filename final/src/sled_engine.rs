use crate::data_dir::{DataDir, EngineKind};
use crate::periodic::Periodic;
use crate::{Durability, KvsEngine, KvsError, Result};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The embedded database sled as an engine, with the same levels of durability as our own store.
///
/// sled's `flush` hands all writes to the operating system, but does not make them survive a power
/// cut: on Linux it ends in `sync_file_range`, which leaves the disk's own cache and the file's
/// length alone. So every write is flushed, for the promise that all levels make, and what `always`
/// and `interval` promise beyond it is done by a sync of sled's log file.
#[derive(Clone)]
pub struct SledKvsEngine {
    // Dropped in this order: the thread ends, sled lets go of its files, the directory is free.
    _sync: Option<Arc<Periodic>>,
    db: sled::Db,
    log: Arc<File>,
    durability: Durability,
    _dir: Arc<DataDir>,
}

impl SledKvsEngine {
    /// Opens the database in a directory, which is made if need be, at the default level.
    ///
    /// # Errors
    /// If the directory is in use or another engine's, or if sled cannot open it.
    pub fn open(dir: impl Into<PathBuf>) -> Result<SledKvsEngine> {
        SledKvsEngine::open_with(dir, Durability::default())
    }

    /// Opens the database at the given level.
    ///
    /// # Errors
    /// As [`SledKvsEngine::open`].
    pub fn open_with(dir: impl Into<PathBuf>, durability: Durability) -> Result<SledKvsEngine> {
        let dir = DataDir::open(dir, EngineKind::Sled)?;
        let path = dir.path().join("sled");
        let db = sled::open(&path).map_err(engine_error)?;
        // sled's log; a second descriptor of it syncs the same bytes.
        let log_path = path.join("db");
        let log = Arc::new(File::open(&log_path).map_err(KvsError::at(&log_path))?);
        // The names in it were made just now, perhaps.
        for dir in [&*path, dir.path()] {
            sync_dir(dir).map_err(KvsError::at(dir))?;
        }
        let sync = match durability {
            Durability::Interval(time) => {
                let log = Arc::clone(&log);
                let sync = move || match log.sync_data() {
                    Ok(()) => true,
                    Err(error) => {
                        log::error!("sled's log can no longer be synced: {error}");
                        false
                    }
                };
                Some(Arc::new(Periodic::start("kvs-sync", time, sync)?))
            }
            Durability::Always | Durability::Os => None,
        };
        Ok(SledKvsEngine { _sync: sync, db, log, durability, _dir: Arc::new(dir) })
    }

    /// Makes a write as safe as the level says.
    fn secure(&self) -> Result<()> {
        self.db.flush().map_err(engine_error)?;
        if self.durability == Durability::Always {
            self.log.sync_data().map_err(engine_error)?;
        }
        Ok(())
    }
}

impl KvsEngine for SledKvsEngine {
    fn set(&self, key: String, value: String) -> Result<()> {
        self.db.insert(key, value.into_bytes()).map_err(engine_error)?;
        self.secure()
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        match self.db.get(key).map_err(engine_error)? {
            None => Ok(None),
            Some(value) => String::from_utf8(value.to_vec()).map(Some).map_err(engine_error),
        }
    }

    fn remove(&self, key: String) -> Result<()> {
        let removed = self.db.remove(key).map_err(engine_error)?;
        self.secure()?;
        removed.map(drop).ok_or(KvsError::KeyNotFound)
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn engine_error(error: impl std::error::Error + Send + Sync + 'static) -> KvsError {
    KvsError::Engine(Box::new(error))
}
