use crate::data_dir::{DataDir, EngineKind};
use crate::periodic::Periodic;
use crate::{Durability, KvsEngine, KvsError, Result};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The embedded database sled as an engine, with the same levels of durability as our own store.
///
/// sled's `flush` hands all writes to the operating system, but does not make them survive a power
/// cut: on Linux it ends in `sync_file_range`, which leaves the disk's own cache and the file's
/// length alone. And what is too long for its log goes into files of their own, which it does not
/// sync at all. So every write is flushed, for the promise that all levels make, and what `always`
/// and `interval` promise beyond it is done by syncs of sled's files.
#[derive(Clone)]
pub struct SledKvsEngine {
    // Dropped in this order: the thread ends, sled lets go of its files, the directory is free.
    _sync: Option<Arc<Periodic>>,
    db: sled::Db,
    files: Arc<Files>,
    durability: Durability,
    _dir: Arc<DataDir>,
}

/// sled's files, for syncs.
struct Files {
    /// A second descriptor of sled's log; it syncs the same bytes.
    log: File,
    /// The directory with the long values, one a file, written once.
    blobs: PathBuf,
    /// The names in `blobs` that are safe. Held during a sync, so that none is thought safe early.
    safe_blobs: Mutex<HashSet<OsString>>,
    /// Set when a sync has failed, for good: the next one might succeed on what was lost.
    stopped: OnceLock<String>,
}

impl Files {
    fn check_running(&self) -> Result<()> {
        match self.stopped.get() {
            None => Ok(()),
            Some(reason) => Err(KvsError::Stopped { reason: reason.clone() }),
        }
    }

    fn sync(&self) -> Result<()> {
        let mut safe = self.safe_blobs.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_running()?;
        let synced = self.sync_blobs(&mut safe).and_then(|()| self.log.sync_data());
        synced.map_err(|error| {
            log::error!("no more writes until sled is opened again: a sync failed ({error})");
            let reason = self.stopped.get_or_init(|| format!("a sync failed ({error})"));
            KvsError::Stopped { reason: reason.clone() }
        })
    }

    fn sync_blobs(&self, safe: &mut HashSet<OsString>) -> io::Result<()> {
        let mut present = HashSet::new();
        for entry in fs::read_dir(&self.blobs)? {
            let name = entry?.file_name();
            if !safe.contains(&name) {
                match File::open(self.blobs.join(&name)) {
                    Ok(blob) => blob.sync_all()?,
                    // It was replaced meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
            }
            present.insert(name);
        }
        if present != *safe {
            sync_dir(&self.blobs)?;
            *safe = present;
        }
        Ok(())
    }
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
        let log_path = path.join("db");
        let files = Arc::new(Files {
            log: File::open(&log_path).map_err(KvsError::at(&log_path))?,
            blobs: path.join("blobs"),
            safe_blobs: Mutex::default(),
            stopped: OnceLock::new(),
        });
        // The names in it were made just now, perhaps.
        for dir in [&*path, dir.path()] {
            sync_dir(dir).map_err(KvsError::at(dir))?;
        }
        let sync = match durability {
            Durability::Interval(time) => {
                let files = Arc::clone(&files);
                let sync = Periodic::start("kvs-sync", time, move || files.sync().is_ok());
                Some(Arc::new(sync?))
            }
            Durability::Always | Durability::Os => None,
        };
        Ok(SledKvsEngine { _sync: sync, db, files, durability, _dir: Arc::new(dir) })
    }

    /// Makes a write as safe as the level says.
    fn secure(&self) -> Result<()> {
        self.db.flush().map_err(engine_error)?;
        if self.durability == Durability::Always { self.files.sync() } else { Ok(()) }
    }
}

impl KvsEngine for SledKvsEngine {
    fn set(&self, key: String, value: String) -> Result<()> {
        self.files.check_running()?;
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
        self.files.check_running()?;
        let removed = self.db.remove(key).map_err(engine_error)?;
        self.secure()?;
        removed.map(drop).ok_or(KvsError::KeyNotFound)
    }

    /// Only what sled knows without reading all of its data; it would count the keys one by one.
    /// Right after the first open it may know of no bytes: sled writes its first ones by itself.
    fn figures(&self) -> String {
        let stopped = self.files.stopped.get().cloned();
        let (size, error) = match self.db.size_on_disk() {
            Ok(bytes) => (format!("disk_bytes {bytes}\n"), stopped),
            Err(error) => {
                let unknown = || format!("the size on disk is not known ({error})");
                (String::new(), Some(stopped.unwrap_or_else(unknown)))
            }
        };
        let error = error.map(|words| format!("last_error {}\n", words.replace('\n', " ")));
        size + &error.unwrap_or_default()
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn engine_error(error: impl std::error::Error) -> KvsError {
    KvsError::Engine(error.to_string().into())
}
