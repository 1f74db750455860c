//! The real disk, by a program that doesn't look whose directory it writes to.

use kvs_final::Result;
use kvs_final::disk::{Access, Dir, Disk, DiskFile, FileId, RealDisk};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Finds files by their paths, as most programs do.
pub(crate) const BY_PATH: &str = "files that are found by their paths";
/// Doesn't see that a file was deleted.
pub(crate) const NEVER_LOOKS: &str = "a store that doesn't see that it was deleted";

pub(crate) struct CarelessDisk {
    pub(crate) is_by_path: bool,
}

struct CarelessDir {
    dir: Arc<dyn Dir>,
    is_by_path: bool,
    /// What each name led to when it was opened.
    ids: Mutex<HashMap<String, FileId>>,
}

impl Disk for CarelessDisk {
    fn claim(&self, dir: &Path, access: Access) -> Result<Arc<dyn Dir>> {
        let (dir, ids) = (RealDisk.claim(dir, access)?, Mutex::default());
        Ok(Arc::new(CarelessDir { dir, is_by_path: self.is_by_path, ids }))
    }
}

impl CarelessDir {
    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(
        &self,
        name: &str,
        by_path: &OpenOptions,
        by_dir: impl FnOnce() -> io::Result<Box<dyn DiskFile>>,
    ) -> io::Result<Box<dyn DiskFile>> {
        let file = match self.is_by_path {
            true => Box::new(by_path.open(self.at(name))?),
            false => by_dir()?,
        };
        self.ids.lock().unwrap().insert(name.to_owned(), file.id()?);
        Ok(file)
    }
}

impl Dir for CarelessDir {
    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        if !self.is_by_path {
            return self.dir.list();
        }
        let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().into_string().unwrap());
        fs::read_dir(self.path())?.map(name).collect()
    }

    fn id(&self, name: &str) -> io::Result<FileId> {
        Ok(self.ids.lock().unwrap()[name])
    }

    fn confirm(&self) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let by_path = File::options().read(true).write(true).create(true).truncate(true).clone();
        self.file(name, &by_path, || self.dir.create(name))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let by_path = File::options().read(true).write(access == Access::Write).clone();
        self.file(name, &by_path, || self.dir.open(name, access))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        match self.is_by_path {
            true => fs::rename(self.at(from), self.at(to)),
            false => self.dir.rename(from, to),
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match self.is_by_path {
            true => fs::remove_file(self.at(name)),
            false => self.dir.remove(name),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.dir.sync()
    }

    fn release(&self) {
        self.dir.release();
    }
}
