use crate::{KvsError, Result};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fmt, str::FromStr, thread};

/// The file in a data directory that names its engine. Its lock says who owns the directory.
const MARKER: &str = "engine";
/// How long an open waits for an owner that is perhaps just letting go.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// The engines that can own a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// Our own, `KvStore`.
    Kvs,
    /// The embedded database sled.
    Sled,
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EngineKind::Kvs => "kvs",
            EngineKind::Sled => "sled",
        })
    }
}

impl FromStr for EngineKind {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        match name {
            "kvs" => Ok(EngineKind::Kvs),
            "sled" => Ok(EngineKind::Sled),
            other => Err(format!("`{other}` is no engine; there are `kvs` and `sled`")),
        }
    }
}

impl EngineKind {
    /// The engine to use on `dir`: the one that was asked for, else the one whose data is there,
    /// else `kvs`. That the two agree is checked by [`DataDir::open`].
    pub fn choose(asked: Option<EngineKind>, dir: &Path) -> Result<EngineKind> {
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
pub struct DataDir {
    path: PathBuf,
    _marker: File,
}

impl DataDir {
    /// Makes the directory if need be and takes it for `engine`. Waits a second for an owner that
    /// is letting go.
    ///
    /// # Errors
    /// [`KvsError::InUse`] if another owner keeps it, [`KvsError::WrongEngine`] if the other engine
    /// wrote the data in it.
    pub fn open(path: impl Into<PathBuf>, engine: EngineKind) -> Result<DataDir> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(KvsError::at(&path))?;
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

        let deadline = Instant::now() + LOCK_TIMEOUT;
        while let Err(error) = marker.try_lock() {
            match error {
                TryLockError::Error(error) => return Err(in_marker()(error)),
                TryLockError::WouldBlock if Instant::now() > deadline => {
                    return Err(KvsError::InUse { dir: path });
                }
                TryLockError::WouldBlock => thread::sleep(Duration::from_millis(10)),
            }
        }

        let mut name = String::new();
        marker.read_to_string(&mut name).map_err(in_marker())?;
        match parse_marker(&marker_path, &name)? {
            Some(found) if found != engine => {
                return Err(KvsError::WrongEngine { dir: path, found, asked: engine });
            }
            Some(_) => {}
            None => {
                // The name has to be durable before any data is.
                writeln!(marker, "{engine}")
                    .and_then(|()| marker.sync_all())
                    .and_then(|()| File::open(&path)?.sync_all())
                    .map_err(in_marker())?;
            }
        }
        Ok(DataDir { path, _marker: marker })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// An empty marker is one whose writer died before it wrote: it has no owner yet.
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
