use crate::disk::Access;
use crate::{EngineKind, KvsError, Result};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::path::Arg;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
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
            // If that is not because there is none, `open` says why.
            Err(_) => None,
        };
        Ok(asked.or(found).unwrap_or(EngineKind::Kvs))
    }
}

/// A data directory that is ours until this value is dropped.
///
/// It stays the directory that was opened, whatever becomes of its name: files are opened relative to
/// its descriptor. The owner holds a lock on the directory and on the marker file in it, exclusive
/// unless it only reads. The locks are the operating system's, so they end with the process, however
/// the process ends.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    dir: File,
    was_made: bool,
    /// None if there is none and nothing may be changed.
    marker: Option<File>,
}

impl DataDir {
    /// Takes the directory for `engine`. To write it is made if need be. Waits a second for an owner
    /// that is letting go.
    ///
    /// # Errors
    /// [`KvsError::InUse`] if somebody else keeps it, [`KvsError::WrongEngine`] if the other engine
    /// wrote the data in it.
    pub(crate) fn open(
        path: impl Into<PathBuf>,
        engine: EngineKind,
        access: Access,
    ) -> Result<DataDir> {
        let path = path.into();
        let was_made = access == Access::Write && create_dir(&path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let dir = open_at(CWD, &path, flags).map_err(|error| no_dir(&path, error))?;
        lock(&dir, &path, &path, access)?;
        let mut owned = DataDir { path, dir, was_made, marker: None };
        owned.claim_marker(engine, access)?;
        Ok(owned)
    }

    fn claim_marker(&mut self, engine: EngineKind, access: Access) -> Result<()> {
        let path = self.path.join(MARKER);
        let in_marker = || KvsError::at(&path);
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR | OFlags::CREATE,
        };
        let mut marker = match self.open_file(MARKER, flags) {
            Ok(marker) => marker,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(in_marker()(error)),
        };
        lock(&marker, &self.path, &path, access)?;
        let mut name = String::new();
        marker.read_to_string(&mut name).map_err(in_marker())?;
        match parse_marker(&path, &name)? {
            Some(found) if found != engine => {
                return Err(KvsError::WrongEngine { dir: self.path.clone(), found, asked: engine });
            }
            None if access == Access::Write => {
                // The name has to be durable before any data is.
                writeln!(marker, "{engine}")
                    .and_then(|()| marker.sync_all())
                    .map_err(in_marker())?;
                self.sync().map_err(KvsError::at(&self.path))?;
            }
            _ => {}
        }
        self.marker = Some(marker);
        Ok(())
    }

    /// Where it was when it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The open directory.
    pub(crate) fn dir(&self) -> &File {
        &self.dir
    }

    /// Whether there was none before it was opened.
    pub(crate) fn was_made(&self) -> bool {
        self.was_made
    }

    /// Makes the names in it durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.dir.sync_all().map_err(|error| cannot("synced", &error))
    }

    /// Opens a file in it.
    pub(crate) fn open_file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        open_at(&self.dir, name, flags)
    }

    /// Lets others take it.
    pub(crate) fn release(&self) {
        for file in self.marker.iter().chain([&self.dir]) {
            // It could only fail if it were not locked.
            let _ = file.unlock();
        }
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        self.release();
    }
}

fn open_at(dir: impl AsFd, path: impl Arg, flags: OFlags) -> io::Result<File> {
    let mode = Mode::from_raw_mode(0o666);
    Ok(openat(dir, path, flags | OFlags::CLOEXEC, mode)?.into())
}

/// Locks a file at `path`, which stands for the directory `dir`.
fn lock(file: &File, dir: &Path, path: &Path, access: Access) -> Result<()> {
    let deadline = Instant::now() + LOCK_TIMEOUT;
    let try_lock = || match access {
        Access::Read => file.try_lock_shared(),
        Access::Write => file.try_lock(),
    };
    while let Err(error) = try_lock() {
        match error {
            TryLockError::Error(error) => {
                return Err(KvsError::at(path)(cannot("locked", &error)));
            }
            TryLockError::WouldBlock if Instant::now() > deadline => {
                return Err(KvsError::InUse { dir: dir.to_owned() });
            }
            TryLockError::WouldBlock => thread::sleep(Duration::from_millis(10)),
        }
    }
    Ok(())
}

fn cannot(be: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot be {be}: {error}"))
}

/// Makes a directory with those above it, and makes the names of all that were missing durable. Returns
/// whether it was missing itself.
fn create_dir(path: &Path) -> Result<bool> {
    let missing = path.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists());
    let missing: Vec<&Path> = missing.collect();
    match fs::create_dir_all(path) {
        // Something else has the name: that can't be opened, for a reason that says more.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        made => made.map_err(KvsError::at(path))?,
    }
    for dir in &missing {
        let above = dir.parent().filter(|above| !above.as_os_str().is_empty());
        let above = above.unwrap_or(Path::new("."));
        let synced = File::open(above).and_then(|above| above.sync_all());
        synced.map_err(|error| KvsError::at(above)(cannot("synced", &error)))?;
    }
    Ok(!missing.is_empty())
}

/// Why there is no directory: it may be that a link on the way leads nowhere.
fn no_dir(path: &Path, error: io::Error) -> KvsError {
    let target = |link: &Path| {
        let is_missing = fs::metadata(link).is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
        is_missing.then(|| fs::read_link(link).ok()).flatten()
    };
    let Some((link, target)) = path.ancestors().find_map(|link| Some((link, target(link)?))) else {
        return KvsError::at(path)(error);
    };
    let reason = format!("a link to {}, which is not there", target.display());
    KvsError::at(link)(io::Error::new(error.kind(), reason))
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
        drop(DataDir::open(dir.path(), EngineKind::Sled, Access::Write).unwrap());
        fs::write(dir.path().join(MARKER), "granite\n").unwrap();
        let error =
            DataDir::open(dir.path(), EngineKind::Kvs, Access::Write).unwrap_err().to_string();
        assert!(error.contains("`granite` is no engine"), "{error}");
    }
}
