//! What the command lines take. The only file here that knows `structopt`.

use crate::EngineKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use structopt::StructOpt;
use structopt::clap::AppSettings;

// The defaults stand here and not in the attributes: with a `default_value`, `--addr` without an
// address would be taken for the default instead of being refused.

/// Where the server listens and the client connects by default.
pub const DEFAULT_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4000);

/// The command line of a server.
#[derive(Debug, StructOpt)]
#[structopt(name = "kvs-server", about = "A key/value server")]
pub struct ServerOptions {
    /// Listens here, by default on 127.0.0.1:4000; port 0 lets the system choose
    #[structopt(long, value_name = "IP:PORT")]
    pub addr: Option<SocketAddr>,
    /// The storage engine, kvs or sled; by default the one whose data is there, else kvs
    #[structopt(long, value_name = "NAME")]
    pub engine: Option<EngineKind>,
    /// The data directory, by default the current one
    #[structopt(long, value_name = "DIR", parse(from_os_str))]
    pub dir: Option<PathBuf>,
}

impl ServerOptions {
    /// Where to listen.
    pub fn addr(&self) -> SocketAddr {
        self.addr.unwrap_or(DEFAULT_ADDR)
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        self.dir.as_deref().unwrap_or(Path::new("."))
    }
}

/// The command line of a server that can be run by any thread pool.
#[derive(Debug, StructOpt)]
#[structopt(name = "kvs-server", about = "A key/value server")]
pub struct PooledServerOptions {
    /// What every server takes.
    #[structopt(flatten)]
    pub server: ServerOptions,
    /// The thread pool: naive, queue or rayon; by default queue
    #[structopt(long, value_name = "NAME")]
    pub pool: Option<PoolKind>,
    /// Threads in the pool, at least 1; by default one for each logical core
    #[structopt(long, value_name = "N")]
    pub threads: Option<NonZeroU32>,
}

/// The thread pools that can run a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// A thread for each job.
    Naive,
    /// A fixed number of threads that share one queue.
    Queue,
    /// rayon's work-stealing pool.
    Rayon,
}

impl FromStr for PoolKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "naive" => Ok(PoolKind::Naive),
            "queue" => Ok(PoolKind::Queue),
            "rayon" => Ok(PoolKind::Rayon),
            other => Err(format!("`{other}` is no pool; there are `naive`, `queue` and `rayon`")),
        }
    }
}

/// The command line of the client.
#[derive(Debug, StructOpt)]
#[structopt(
    name = "kvs-client",
    about = "Talks to a key/value server",
    settings = &[AppSettings::SubcommandRequiredElseHelp, AppSettings::VersionlessSubcommands]
)]
pub enum ClientOptions {
    /// Prints the value of a key
    Get {
        /// The key
        key: String,
        /// The server's address, by default 127.0.0.1:4000
        #[structopt(long, value_name = "IP:PORT")]
        addr: Option<SocketAddr>,
    },
    /// Gives a key a value
    Set {
        /// The key
        key: String,
        /// The value; put `--` before one that starts with a dash
        value: String,
        /// The server's address, by default 127.0.0.1:4000
        #[structopt(long, value_name = "IP:PORT")]
        addr: Option<SocketAddr>,
    },
    /// Removes a key and its value
    Rm {
        /// The key
        key: String,
        /// The server's address, by default 127.0.0.1:4000
        #[structopt(long, value_name = "IP:PORT")]
        addr: Option<SocketAddr>,
    },
}

/// The options that the program was started with. Prints help, version or a complaint and ends the
/// process where that is the answer.
pub fn parse<T: StructOpt>() -> T {
    T::from_args()
}
