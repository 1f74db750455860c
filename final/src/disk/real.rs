use super::{Access, Dir, Disk, DiskFile, FileId};
use crate::data_dir::DataDir;
#[cfg(feature = "testing")]
use crate::sync_points::{Point, reach};
use crate::{EngineKind, Result};
use rustix::fs::{OFlags, Stat, fstat};
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
