use super::{Access, Dir, Disk, DiskFile, FileId};
use crate::data_dir::DataDir;
#[cfg(feature = "testing")]
use crate::sync_points::{Point, reach};
use crate::{EngineKind, Result};
use rustix::fs::{AtFlags, OFlags, Stat, fstat, renameat, statat, unlinkat};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// The file system of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn claim(&self, dir: &Path, access: Access) -> Result<Arc<dyn Dir>> {
        Ok(Arc::new(DataDir::open(dir, EngineKind::Kvs, access)?))
    }
}

impl Dir for DataDir {
    fn path(&self) -> &Path {
        DataDir::path(self)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let entries = rustix::fs::Dir::read_from(self.dir())?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_owned()));
        // A name that is no text is none of ours.
        let names = names
            .filter_map(|name: io::Result<_>| name.map(|name| name.into_string().ok()).transpose());
        names.filter(|name| !matches!(name.as_deref(), Ok("." | ".."))).collect()
    }

    fn id(&self, name: &str) -> io::Result<FileId> {
        Ok(statat(self.dir(), name, AtFlags::empty())?.into())
    }

    fn confirm(&self) -> io::Result<()> {
        DataDir::confirm(self)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        Ok(Box::new(self.open_file(name, flags)?))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(self.open_file(name, access.into())?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(self.dir(), from, self.dir(), to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(self.dir(), name, AtFlags::empty())?)
    }

    fn sync(&self) -> io::Result<()> {
        DataDir::sync(self)
    }

    fn was_made(&self) -> bool {
        DataDir::was_made(self)
    }

    fn release(&self) {
        DataDir::release(self);
    }
}

impl From<Access> for OFlags {
    fn from(access: Access) -> OFlags {
        match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
        }
    }
}

impl From<Stat> for FileId {
    fn from(stat: Stat) -> FileId {
        FileId { device: stat.st_dev, number: stat.st_ino }
    }
}

impl DiskFile for File {
    fn id(&self) -> io::Result<FileId> {
        Ok(fstat(self)?.into())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        #[cfg(feature = "testing")]
        reach(Point::FileRead);
        self.read_exact_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        #[cfg(feature = "testing")]
        if offset > 0 {
            reach(Point::FileWrite);
        }
        self.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(self, rustix::fs::FallocateFlags::empty(), 0, len)?)
    }

    fn sync(&self) -> io::Result<()> {
        #[cfg(feature = "testing")]
        reach(Point::FileSync);
        self.sync_data()
    }
}
