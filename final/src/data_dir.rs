use crate::{EngineKind, KvsError, Result};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The file in a data directory that names its engine. Its lock says who owns the directory.
const MARKER: &str = "engine";
/// How long an open waits for an owner that is perhaps just letting go.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

impl EngineKind {
    /// The engine to use on `dir`: the one that was asked for, else the one whose data is there,
    /// else `kvs`. That the two agree is checked by [`DataDir::open`].
    pub(crate) fn choose(asked: Option<EngineKind>, dir: &Path) -> Result<EngineKind> {
        let path = dir.join(MARKER);
        let found = match fs::read_to_string(&path) {
            Ok(name) => parse_marker(&path, &name)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(KvsError::at(&path)(error)),
        };
        Ok(asked.or(found).unwrap_or(EngineKind::Kvs))
    }
}

/// A data directory that is ours until this value is dropped.
///
/// The owner holds an exclusive lock on the marker file. The lock is the operating system's, so it
/// ends with the process, however the process ends.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _marker: File,
}

impl DataDir {
    /// Makes the directory if need be and takes it for `engine`. Waits a second for an owner that
    /// is letting go.
    ///
    /// # Errors
    /// [`KvsError::InUse`] if somebody else keeps it, [`KvsError::WrongEngine`] if the other engine
    /// wrote the data in it.
    pub(crate) fn open(path: impl Into<PathBuf>, engine: EngineKind) -> Result<DataDir> {
        let path = path.into();
        create_dir(&path).map_err(KvsError::at(&path))?;
        let marker_path = path.join(MARKER);
        let in_marker = || KvsError::at(&marker_path);
        let mut options = OpenOptions::new();
        let mut marker = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&marker_path)
            .map_err(in_marker())?;
        if lock(&path, &mut marker, engine)?.is_none() {
            // The name has to be durable before any data is.
            writeln!(marker, "{engine}")
                .and_then(|()| marker.sync_all())
                .and_then(|()| File::open(&path)?.sync_all())
                .map_err(in_marker())?;
        }
        Ok(DataDir { path, _marker: marker })
    }

    /// As [`DataDir::open`], but changes nothing. None if there is no marker, so that there is
    /// nothing to lock, and nobody has the directory.
    pub(crate) fn open_existing(path: &Path, engine: EngineKind) -> Result<Option<DataDir>> {
        let marker_path = path.join(MARKER);
        let mut marker = match File::open(&marker_path) {
            Ok(marker) => marker,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(KvsError::at(&marker_path)(error)),
        };
        lock(path, &mut marker, engine)?;
        Ok(Some(DataDir { path: path.to_owned(), _marker: marker }))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Locks the marker of the directory `dir`, and returns the engine in it, which is `engine` or none.
fn lock(dir: &Path, marker: &mut File, engine: EngineKind) -> Result<Option<EngineKind>> {
    let path = dir.join(MARKER);
    let deadline = Instant::now() + LOCK_TIMEOUT;
    while let Err(error) = marker.try_lock() {
        match error {
            TryLockError::Error(error) => return Err(KvsError::at(&path)(error)),
            TryLockError::WouldBlock if Instant::now() > deadline => {
                return Err(KvsError::InUse { dir: dir.to_owned() });
            }
            TryLockError::WouldBlock => thread::sleep(Duration::from_millis(10)),
        }
    }
    let mut name = String::new();
    marker.read_to_string(&mut name).map_err(KvsError::at(&path))?;
    match parse_marker(&path, &name)? {
        Some(found) if found != engine => {
            Err(KvsError::WrongEngine { dir: dir.to_owned(), found, asked: engine })
        }
        found => Ok(found),
    }
}

/// Makes a directory with those above it, and makes the names of all that were missing durable.
fn create_dir(path: &Path) -> io::Result<()> {
    let missing = path.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists());
    let missing: Vec<&Path> = missing.collect();
    fs::create_dir_all(path)?;
    for dir in missing {
        let above = dir.parent().filter(|above| !above.as_os_str().is_empty());
        File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// An empty marker is one whose writer died before it wrote: nobody's yet.
fn parse_marker(path: &Path, name: &str) -> Result<Option<EngineKind>> {
    match name.trim() {
        "" => Ok(None),
        name => name.parse().map(Some).map_err(|reason| KvsError::Damaged {
            path: path.to_owned(),
            offset: 0,
            reason,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn an_empty_marker_is_taken_and_a_foreign_one_is_refused() {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join(MARKER), "").unwrap();
        drop(DataDir::open(dir.path(), EngineKind::Sled).unwrap());
        fs::write(dir.path().join(MARKER), "granite\n").unwrap();
        let error = DataDir::open(dir.path(), EngineKind::Kvs).unwrap_err().to_string();
        assert!(error.contains("`granite` is no engine"), "{error}");
    }
}
