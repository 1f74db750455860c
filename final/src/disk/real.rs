use super::mapped::Map;
use super::{Access, Dir, Disk, DiskFile, FileId};
use crate::data_dir::DataDir;
#[cfg(feature = "testing")]
use crate::sync_points::{Point, reach};
use crate::{EngineKind, Result, os};
use rustix::fs::{OFlags, Stat, fstat};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// From how many bytes on a read asks the file though there is a map. The map isn't read ahead (`mapped.rs`), so of a
/// file that isn't in memory each page of it is a read of the device: 256 for a megabyte, where the file's own
/// read-ahead made do with one or two. What a map spares is one system call, which is little beside so long a copy.
const LONG_READ: usize = 64 << 10;

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
    #[allow(clippy::unnecessary_cast)] // elsewhere it isn't
    fn from(stat: Stat) -> FileId {
        FileId { device: stat.st_dev as u64, number: stat.st_ino as u64 }
    }
}

/// Which file this is.
pub(crate) fn file_id(file: &File) -> io::Result<FileId> {
    Ok(fstat(file)?.into())
}

/// A file of the operating system.
pub struct RealFile {
    file: File,
    /// Its first bytes, once they are not written any more, if that was wanted and could be done.
    map: OnceLock<Map>,
}

impl RealFile {
    /// A file that is open.
    pub fn new(file: File) -> RealFile {
        RealFile { file, map: OnceLock::new() }
    }
}

impl DiskFile for RealFile {
    fn id(&self) -> io::Result<FileId> {
        file_id(&self.file)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        #[cfg(feature = "testing")]
        reach(Point::FileRead);
        let map = self.map.get().filter(|_| buffer.len() < LONG_READ);
        if map.is_some_and(|map| map.read(buffer, offset)) {
            return Ok(());
        }
        self.file.read_exact_at(buffer, offset)
    }

    fn map(&self, len: u64) {
        if let Some(map) = Map::new(&self.file, len) {
            // If another thread was first, its map is as good.
            let _ = self.map.set(map);
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        #[cfg(feature = "testing")]
        if offset > 0 {
            reach(Point::FileWrite);
        }
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        os::allocate(&self.file, len)
    }

    fn sync(&self) -> io::Result<()> {
        #[cfg(feature = "testing")]
        reach(Point::FileSync);
        self.file.sync_data()
    }
}

#[cfg(all(test, target_os = "linux", not(kvs_portable)))]
mod tests {
    use super::*;

    #[test]
    fn a_short_read_goes_through_the_map_and_a_long_one_does_not() {
        for (len, is_mapped) in [(1, true), (LONG_READ - 1, true), (LONG_READ, false)] {
            let file = RealFile::new(tempfile::tempfile().unwrap());
            file.set_len(4 * LONG_READ as u64).unwrap();
            file.map(4 * LONG_READ as u64);
            // A map says no more once a page of it was wanted and could not be had.
            file.set_len(LONG_READ as u64).unwrap();
            file.read_at(&mut vec![0; len], 2 * LONG_READ as u64).unwrap_err();
            assert_eq!(!file.map.get().unwrap().read(&mut [0], 0), is_mapped, "{len} bytes");
        }
    }
}
