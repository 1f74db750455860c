//! All that the store does with files, as one small trait.
//!
//! [`RealDisk`] is the file system. With the feature `testing` there is `SimulatedDisk` too: one in
//! memory that forgets whatever a real one may forget when the power fails, and fails where it is told
//! to, so that a test can try a crash or an error at every single operation.

#[cfg(all(target_os = "linux", not(kvs_portable)))]
mod mapped;
#[cfg(not(all(target_os = "linux", not(kvs_portable))))]
mod mapped {
    /// Without SIGBUS as Linux has it, no file is mapped.
    pub(super) struct Map;

    impl Map {
        pub(super) fn new(_: &std::fs::File, _: u64) -> Option<Map> {
            None
        }

        pub(super) fn read(&self, _: &mut [u8], _: u64) -> bool {
            false
        }
    }
}
#[cfg(feature = "testing")]
mod power_loss;
mod real;
#[cfg(feature = "testing")]
mod simulated;

pub(crate) use real::file_id;
pub use real::{RealDisk, RealFile};
#[cfg(feature = "testing")]
pub use simulated::{Fault, SimulatedDisk};

use crate::Result;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What something is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To read it and to change nothing, as far as the disk can see to that.
    Read,
    /// To read and to write.
    Write,
}

/// A place with directories.
pub trait Disk: Send + Sync + 'static {
    /// Takes a directory for this process. To write it is made if need be, and nobody else has it
    /// meanwhile; to read it is shared with others that read.
    ///
    /// # Errors
    /// [`KvsError::InUse`](crate::KvsError::InUse) if somebody else has it;
    /// [`KvsError::WrongEngine`](crate::KvsError::WrongEngine) if its data is another engine's.
    fn claim(&self, dir: &Path, access: Access) -> Result<Arc<dyn Dir>>;
}

/// A directory that this process has taken, until it is released or the last handle is dropped.
///
/// Its files are found by their names in *this* directory. What has become of the directory's own name
/// makes no difference: it may be moved or deleted, and another one may be in its place.
///
/// The rules are POSIX's, taken strictly. What was written is there for every reader at once. It is
/// durable, which is to say that it survives a power loss, only after [`DiskFile::sync`]; and a name,
/// new, changed or removed, only after [`Dir::sync`].
pub trait Dir: Send + Sync {
    /// Where it was when it was taken, for messages.
    fn path(&self) -> &Path;

    /// The names in it, in no order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Which file has this name now. A name that is a link leads to another file.
    fn id(&self, name: &str) -> io::Result<FileId>;

    /// Sees that this name still leads to this file.
    fn see(&self, name: &str, file: FileId) -> io::Result<()> {
        match self.id(name) {
            Ok(found) if found == file => Ok(()),
            Ok(_) => Err(io::Error::other("it was replaced")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(io::Error::new(error.kind(), "it was deleted"))
            }
            Err(error) => Err(error),
        }
    }

    /// Sees that the directory's marker is still the one that was locked when it was taken, and writes
    /// it again if there is none.
    ///
    /// # Errors
    /// If another one is in its place, or if the directory was deleted: it is nobody's to write to then.
    fn confirm(&self) -> io::Result<()>;

    /// Makes a file; there must be none of that name.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that exists.
    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, in one step. The file that had that name before loses it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Takes a name away. A handle that is open keeps the file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the names in it durable.
    fn sync(&self) -> io::Result<()>;

    /// One line of text that stays the same for as long as the system still has whatever was written, durable or
    /// not: it changes with a restart, and where the file system is mounted anew. None if the disk can't tell.
    fn session(&self) -> Option<String> {
        None
    }

    /// Whether it was made when it was taken, where the disk can tell.
    fn was_made(&self) -> bool {
        false
    }

    /// Lets others take it from now on.
    fn release(&self);
}

impl dyn Dir + '_ {
    /// Says in the log that a store was made in it. Nobody may have wanted that: a volume that is not
    /// mounted and a path with a slip in it are empty directories, too.
    pub(crate) fn warn_of_new_store(&self) {
        let path = std::path::absolute(self.path()).unwrap_or_else(|_| self.path().to_owned());
        let was = if self.was_made() { "was not there" } else { "held none" };
        log::warn!("made a new store in {}: the directory {was}", path.display());
    }
}

/// Tells files apart, whatever their names, for as long as they are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    /// The device.
    pub device: u64,
    /// The file's number there.
    pub number: u64,
}

/// An open file. All positions are explicit: there is no cursor that two threads could share.
#[allow(clippy::len_without_is_empty)] // nobody asks
pub trait DiskFile: Send + Sync {
    /// Which file it is.
    fn id(&self) -> io::Result<FileId>;

    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on; an error if the file ends before that.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Says that the first `len` bytes are not written any more, so that the disk may read them in a faster way: the
    /// operating system's through a memory map. If that fails, reads go on as they were.
    fn map(&self, len: u64) {
        let _ = len;
    }

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
