use crate::EngineKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{error::Error, io};

/// A result whose error is a [`KvsError`].
pub type Result<T> = std::result::Result<T, KvsError>;

/// Everything that can go wrong, each with a message that a user can act on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KvsError {
    /// `remove` of a key that is not there.
    #[error("Key not found")]
    KeyNotFound,

    /// The operating system refused something that is no file: a socket, a thread, a signal handler.
    #[error("I/O error: {0}")]
    Io(#[from] io::Error),

    /// An operation on a file or directory failed.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },

    /// A log holds something that no store has written.
    #[error("{}: damaged at byte {offset}: {reason}", path.display())]
    Damaged {
        /// The log.
        path: PathBuf,
        /// Where in the log, in bytes from its start.
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

    /// A line was not of the protocol, or of the log.
    #[error("not a message of the protocol: {0}")]
    Protocol(String),

    /// The server answered with an error; its own message.
    #[error("{0}")]
    Server(String),

    /// A thread pool could not be made.
    #[error("thread pool: {0}")]
    Pool(String),

    /// An engine that is not ours failed.
    #[error("engine: {0}")]
    Engine(#[source] Box<dyn Error + Send + Sync>),
}

impl KvsError {
    /// Says which file an I/O error is about: `File::open(&path).map_err(KvsError::at(&path))?`.
    pub fn at(path: &Path) -> impl FnOnce(io::Error) -> KvsError {
        move |source| KvsError::File { path: path.to_owned(), source }
    }
}
