//! The disk that `final` gets: the operating system's, with the clock's holds in it.

use crate::clock::Clock;
use kvs_final::Result;
use kvs_final::disk::{Disk, DiskFile, RealDisk};
use std::any::Any;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// See above. Only what reads or writes records takes time.
pub struct SlowDisk(pub Arc<Clock>);

struct SlowFile {
    clock: Arc<Clock>,
    file: Box<dyn DiskFile>,
}

impl SlowDisk {
    fn slow(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(SlowFile { clock: Arc::clone(&self.0), file })
    }
}

impl Disk for SlowDisk {
    fn claim(&self, dir: &Path) -> Result<Box<dyn Any + Send + Sync>> {
        RealDisk.claim(dir)
    }

    fn claim_existing(&self, dir: &Path) -> Result<Option<Box<dyn Any + Send + Sync>>> {
        RealDisk.claim_existing(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.create(path).map(|file| self.slow(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open(path).map(|file| self.slow(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }
}

impl DiskFile for SlowFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.clock.read();
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        // What is written at 0 is a header or the manifest, and no record.
        if offset > 0 {
            self.clock.write();
        }
        self.file.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.file.allocate(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.clock.sync();
        self.file.sync()
    }
}
