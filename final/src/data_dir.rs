use crate::disk::{Access, Dir, DiskFile, FileId, RealFile, file_id};
use crate::process::Opener;
use crate::{EngineKind, KvsError, Result, os};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::fs::{openat, readlinkat, renameat, statat, unlinkat};
use rustix::path::Arg;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The file in a data directory that names its engine. Its lock says who owns the directory.
const MARKER: &str = "engine";
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);
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
        let found = match open_at(CWD, dir, DIRECTORY) {
            Ok(open) if found.is_none() => EngineKind::of_data(&open, dir)?,
            _ => found,
        };
        Ok(asked.or(found).unwrap_or(EngineKind::Kvs))
    }

    /// The engine whose data is in a directory that has lost its marker.
    fn of_data(dir: &File, path: &Path) -> Result<Option<EngineKind>> {
        let has = |name: &str| statat(dir, name, AtFlags::empty()).is_ok();
        match (has("MANIFEST"), has("sled")) {
            (true, true) => {
                let found = "data of two engines, and no file `engine` that names one of them,";
                Err(KvsError::Format { path: path.to_owned(), found: found.to_owned() })
            }
            (true, false) => Ok(Some(EngineKind::Kvs)),
            (false, true) => Ok(Some(EngineKind::Sled)),
            (false, false) => Ok(None),
        }
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
    pub(crate) dir: File,
    was_made: bool,
    engine: EngineKind,
    opener: Opener,
    /// None if there is none and nothing may be changed. Held while it is looked at, and written again.
    marker: Mutex<Option<File>>,
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
        let dir = open_at(CWD, &path, DIRECTORY).map_err(|error| no_dir(&path, error))?;
        lock(&dir, &path, &path, access)?;
        let (opener, marker) = (Opener::this_process(), Mutex::default());
        let owned = DataDir { path, dir, was_made, engine, opener, marker };
        owned.claim_marker(access)?;
        Ok(owned)
    }

    fn claim_marker(&self, access: Access) -> Result<()> {
        let engine = self.engine;
        let path = self.path.join(MARKER);
        let in_marker = || KvsError::at(&path);
        let marker = match self.open_file(MARKER, access.into()) {
            Ok(marker) => Some(marker),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(in_marker()(error)),
        };
        let mut name = String::new();
        if let Some(mut marker) = marker.as_ref() {
            lock(marker, &self.path, &path, access)?;
            marker.read_to_string(&mut name).map_err(in_marker())?;
        }
        let named = parse_marker(&path, &name)?;
        let data = EngineKind::of_data(&self.dir, &self.path);
        let found = match (named, data) {
            (None, data) => data?,
            // A marker from elsewhere would have the one engine start empty beside the other's data.
            (Some(named), Ok(Some(data))) if named != data => {
                let reason = format!("it names `{named}`, but the data beside it is of `{data}`");
                return Err(KvsError::Damaged { path, offset: 0, reason });
            }
            (named, _) => named,
        };
        if let Some(found) = found.filter(|found| *found != engine) {
            return Err(KvsError::WrongEngine { dir: self.path.clone(), found, asked: engine });
        }
        *self.marker() = if named.is_some() || access == Access::Read {
            marker
        } else {
            let marker = self.write_marker(marker).map_err(in_marker())?;
            self.sync().map_err(KvsError::at(&self.path))?;
            Some(marker)
        };
        Ok(())
    }

    /// Writes the engine's name into the marker, which is made if there is none. That, and its name in
    /// the directory, has to be durable before any data is.
    fn write_marker(&self, marker: Option<File>) -> io::Result<File> {
        let mut marker = match marker {
            Some(empty) => empty,
            None => self.open_file(MARKER, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?,
        };
        marker.try_lock()?;
        writeln!(marker, "{}", self.engine)?;
        marker.sync_all()?;
        Ok(marker)
    }

    fn marker(&self) -> MutexGuard<'_, Option<File>> {
        self.marker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a file in it.
    pub(crate) fn open_file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        open_at(&self.dir, name, flags).map_err(|error| match readlinkat(&self.dir, name, []) {
            Ok(target) if error.kind() == io::ErrorKind::NotFound => {
                leads_nowhere(OsStr::from_bytes(target.to_bytes()))
            }
            _ => error,
        })
    }
}

impl Dir for DataDir {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let entries = rustix::fs::Dir::read_from(&self.dir)?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_owned()));
        // A name that is no text is none of ours.
        let names = names
            .filter_map(|name: io::Result<_>| name.map(|name| name.into_string().ok()).transpose());
        names.filter(|name| !matches!(name.as_deref(), Ok("." | ".."))).collect()
    }

    fn id(&self, name: &str) -> io::Result<FileId> {
        Ok(statat(&self.dir, name, AtFlags::empty())?.into())
    }

    /// A marker that is missing is written again: it looks like a leftover, so what clears old files away
    /// takes it first, and it is the lock of the directory that has kept others out meanwhile.
    fn confirm(&self) -> io::Result<()> {
        let mut marker = self.marker();
        match (self.id(MARKER), &*marker) {
            (Ok(found), Some(ours)) if found == file_id(ours)? => Ok(()),
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound => {
                *marker = Some(self.write_marker(None)?);
                self.sync()
            }
            (Err(error), _) => Err(error),
            (Ok(_), _) => Err(io::Error::other(format!("its file `{MARKER}` was replaced"))),
        }
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        Ok(Box::new(RealFile::new(self.open_file(name, flags)?)))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile::new(self.open_file(name, access.into())?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.dir, from, &self.dir, to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.dir, name, AtFlags::empty())?)
    }

    fn sync(&self) -> io::Result<()> {
        self.dir.sync_all().map_err(|error| cannot("synced", &error))
    }

    fn session(&self) -> Option<String> {
        os::session(&self.dir)
    }

    fn was_made(&self) -> bool {
        self.was_made
    }

    /// Also if a child that was forked meanwhile has the files open. For a child it does nothing: the
    /// locks are its parent's.
    fn release(&self) {
        if self.opener.check().is_ok() {
            for file in self.marker().iter().chain([&self.dir]) {
                // It could only fail if it were not locked.
                let _ = file.unlock();
            }
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
    KvsError::at(link)(leads_nowhere(target.as_os_str()))
}

/// What is wrong with a link. Not an error as of a name that is free.
fn leads_nowhere(target: &OsStr) -> io::Error {
    io::Error::other(format!("a link to {}, which is not there", target.display()))
}

/// An empty marker is one whose writer died before it wrote: nobody's yet.
fn parse_marker(path: &Path, name: &str) -> Result<Option<EngineKind>> {
    match name.trim() {
        "" => Ok(None),
        name => name.parse().map(Some).map_err(|reason| KvsError::Damaged {
            path: path.to_owned(),
            offset: 0,
            reason: format!("{reason}; without this file, the data beside it says which it is"),
        }),
    }
}
