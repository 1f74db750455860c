//! The real disk, by a program that doesn't look whose directory it writes to.

use kvs_final::Result;
use kvs_final::disk::{Access, Dir, Disk, DiskFile, FileId, RealDisk};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub(crate) const BY_PATH: &str = "files that are found by their paths";
pub(crate) const NEVER_LOOKS: &str = "a store that doesn't see that it was deleted";

/// Finds files by their paths, and doesn't look what became of them.
pub(crate) struct CarelessDisk;

struct CarelessDir {
    dir: Arc<dyn Dir>,
    /// What each name led to when it was opened.
    ids: Mutex<HashMap<String, FileId>>,
}

impl Disk for CarelessDisk {
    fn claim(&self, dir: &Path, access: Access) -> Result<Arc<dyn Dir>> {
        let (dir, ids) = (RealDisk.claim(dir, access)?, Mutex::default());
        Ok(Arc::new(CarelessDir { dir, ids }))
    }
}

impl CarelessDir {
    fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn file(&self, name: &str, options: &mut OpenOptions) -> io::Result<Box<dyn DiskFile>> {
        let file = options.read(true).open(self.at(name))?;
        self.ids.lock().unwrap().insert(name.to_owned(), file.id()?);
        Ok(Box::new(file))
    }
}

impl Dir for CarelessDir {
    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn list(&self) -> io::Result<Vec<String>> {
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
        self.file(name, File::options().write(true).create(true).truncate(true))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn DiskFile>> {
        self.file(name, File::options().write(access == Access::Write))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.at(name))
    }

    fn sync(&self) -> io::Result<()> {
        self.dir.sync()
    }

    fn release(&self) {
        self.dir.release();
    }
}
