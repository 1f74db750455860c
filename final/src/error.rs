use crate::EngineKind;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A result whose error is a [`KvsError`].
pub type Result<T> = std::result::Result<T, KvsError>;

/// Everything that can go wrong, in messages that a user can act on.
///
/// It can be cloned, because one failure may be the answer to many: to every write of a batch.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KvsError {
    /// `remove` of a key that is not there.
    #[error("Key not found")]
    KeyNotFound,

    /// `compare_and_set` of a key whose value is another.
    #[error("The value is not the expected one")]
    Mismatch,

    /// The engine doesn't have what it was asked for.
    #[error("this engine has no {what}")]
    Unsupported {
        /// What it was asked for.
        what: &'static str,
    },

    /// The cursor of a page of keys is none that this engine gave.
    #[error("`{cursor}` is no cursor of this engine")]
    Cursor {
        /// The cursor.
        cursor: String,
    },

    /// The operating system refused something that is no file: a socket, a thread, a signal handler.
    #[error("I/O error: {0}")]
    Io(#[source] Arc<io::Error>),

    /// An operation on a file or directory failed.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },

    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the operating system said.
        source: Arc<io::Error>,
    },

    /// The directory holds something that this program does not read.
    #[error("{}: {found} is not what this program reads", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
    },

    /// A key or value is longer than it may be.
    #[error("the {what} is {len} bytes long; the limit is {limit}")]
    TooLarge {
        /// Which of them.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },

    /// The store takes no more writes; reads go on.
    #[error("no more writes until the store is opened again: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },

    /// The store is closing, or a compaction failed half-way; reads and writes go on.
    #[error("no more compaction until the store is opened again")]
    NoCompaction,

    /// The directory holds no store.
    #[error("{}: there is no store in this directory", dir.display())]
    NoStore {
        /// The directory.
        dir: PathBuf,
    },

    /// The process that opened the store has forked, and this is the child.
    #[error("the store was opened before this process was forked; open stores after the fork")]
    Forked,

    /// A file of a store is not as it was written.
    #[error("{}: damaged at byte {offset}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file, in bytes from its start.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },

    /// Another store has the directory open, in this process or another.
    #[error("{}: in use by another store; one directory has one owner", dir.display())]
    InUse {
        /// The data directory.
        dir: PathBuf,
    },

    /// The directory belongs to the other engine.
    #[error("{}: holds data of the engine `{found}`, not of `{asked}`", dir.display())]
    WrongEngine {
        /// The data directory.
        dir: PathBuf,
        /// The engine that wrote the data.
        found: EngineKind,
        /// The engine that was to open it.
        asked: EngineKind,
    },

    /// A line was not of the protocol.
    #[error("not a message of the protocol: {0}")]
    Protocol(String),

    /// The server answered with an error; this is its message.
    #[error("{0}")]
    Server(String),

    /// An answer is longer than the client takes. It was passed over; the next one can be had.
    #[error("the answer is longer than {limit} bytes, the client's limit")]
    AnswerTooLong {
        /// The client's limit, in bytes.
        limit: usize,
    },

    /// The server hung up. What it was asked may have been done or not.
    #[error("the server closed the connection")]
    Closed,

    /// The server made no progress for a time. What it was asked may have been done or not.
    #[error("{what} within {time:?}")]
    Timeout {
        /// What it did not do.
        what: String,
        /// The time that it had for the next byte.
        time: Duration,
    },

    /// A connection that had failed before was used again.
    #[error("the connection was given up after an error ({reason}); connect again")]
    GivenUp {
        /// The error that it was given up after.
        reason: String,
    },

    /// Each segment of a store is an open file, and the process may not have so many.
    #[error(
        "{}: {segments} segments are open at a time, and the limit of open files is {limit}: raise it \
         (`ulimit -n`, `RLIMIT_NOFILE`)",
        dir.display()
    )]
    OpenFiles {
        /// The data directory.
        dir: PathBuf,
        /// How many segments have to be open at a time, beside whatever else the process has open.
        segments: usize,
        /// How many open files the process may have.
        limit: u64,
    },

    /// A thread pool could not be made.
    #[error("thread pool: {0}")]
    Pool(String),

    /// An engine that is not ours failed.
    #[error("engine: {0}")]
    Engine(Arc<str>),
}

impl From<io::Error> for KvsError {
    fn from(source: io::Error) -> KvsError {
        KvsError::Io(Arc::new(source))
    }
}

impl KvsError {
    /// Whether it is the answer to one request of a client, whose connection goes on.
    pub fn is_answer(&self) -> bool {
        use KvsError::{AnswerTooLong, KeyNotFound, Mismatch, Server};
        matches!(self, KeyNotFound | Mismatch | Server(_) | AnswerTooLong { .. })
    }

    /// Says which file an I/O error is about: `File::open(&path).map_err(KvsError::at(&path))?`.
    pub fn at(path: &Path) -> impl FnOnce(io::Error) -> KvsError {
        move |source| KvsError::File { path: path.to_owned(), source: Arc::new(source) }
    }

    /// The same error of a segment that could not be opened, unless the limit of open files is why: then
    /// one that says how many the store in `dir` needs.
    pub(crate) fn or_open_files(self, dir: &Path, segments: usize) -> KvsError {
        match &self {
            KvsError::File { source, .. } if Errno::from_io_error(source) == Some(Errno::MFILE) => {
                let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
                KvsError::OpenFiles { dir: dir.to_owned(), segments, limit }
            }
            _ => self,
        }
    }
}
