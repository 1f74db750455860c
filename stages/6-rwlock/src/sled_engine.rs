use crate::KvsEngine;
use kvs_common::{DataDir, EngineKind, KvsError, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// The embedded database sled as an engine.
///
/// Each write is flushed before it is acknowledged, so that, as with our own store, it survives the
/// end of the process.
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
        let dir = DataDir::open(dir, EngineKind::Sled)?;
        let db = sled::open(dir.path().join("sled")).map_err(engine_error)?;
        Ok(SledKvsEngine { db, _dir: Arc::new(dir) })
    }
}

impl KvsEngine for SledKvsEngine {
    fn set(&self, key: String, value: String) -> Result<()> {
        self.db.insert(key, value.into_bytes()).map_err(engine_error)?;
        self.db.flush().map_err(engine_error)?;
        Ok(())
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
}

fn engine_error(error: impl std::error::Error + Send + Sync + 'static) -> KvsError {
    KvsError::Engine(Box::new(error))
}
