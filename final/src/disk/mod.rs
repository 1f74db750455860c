//! All that the store does with files, as one small trait.
//!
//! [`RealDisk`] is the file system. With the feature `testing` there is `SimulatedDisk` too: one in
//! memory that forgets whatever a real one may forget when the power fails, and fails where it is told
//! to, so that a test can try a crash or an error at every single operation.

#[cfg(feature = "testing")]
mod power_loss;
mod real;
#[cfg(feature = "testing")]
mod simulated;

pub use real::RealDisk;
#[cfg(feature = "testing")]
pub use simulated::{Fault, SimulatedDisk};

use crate::Result;
use std::any::Any;
use std::io;
use std::path::Path;

/// A directory that this process has taken, until this is dropped.
pub type Claim = Box<dyn Any + Send + Sync>;

/// A place with directories and files.
///
/// The rules are POSIX's, taken strictly. What was written is there for every reader at once. It is
/// durable, which is to say that it survives a power loss, only after [`DiskFile::sync`]; and a name,
/// new, changed or removed, only after [`Disk::sync_dir`] on its directory.
pub trait Disk: Send + Sync + 'static {
    /// Makes `dir` if need be and takes it for this process.
    fn claim(&self, dir: &Path) -> Result<Claim>;

    /// As `claim`, but changes nothing: none if `dir` is such that nobody can have it.
    fn claim_existing(&self, dir: &Path) -> Result<Option<Claim>>;

    /// The names in `dir`, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes a file, empty if there was one already.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that exists.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, in one step. What had that name before has none.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes a name away. Who has the file open keeps it.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file. All positions are explicit: there is no cursor that two threads could share.
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `buffer` from `offset` on; an error if the file ends before that.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes `bytes` at `offset`. After an error any part of them may be there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Truncates the file, or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Reserves space and extends the file to `len`, so that later syncs need not record that it
    /// grows. A disk that cannot do that does nothing.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Makes content and length durable.
    fn sync(&self) -> io::Result<()>;
}
