use super::{DEFAULT_ADDR, limits::LimitOptions};
use crate::{Durability, EngineKind};
use std::fmt;
use std::net::SocketAddr;
use std::{path::Path, path::PathBuf, str::FromStr};
use structopt::StructOpt;

/// The command line of a server.
#[derive(Debug, StructOpt)]
#[structopt(
    name = "kvs-server",
    about = "A key/value server",
    after_help = "\
EXAMPLES:
    kvs server --dir DATA
    kvs server --dir DATA --addr 127.0.0.1:5000 --durability always
    kvs server --dir DATA --engine sled --pool rayon --threads 4

SIGINT (ctrl-C) and SIGTERM stop it in good order."
)]
pub(crate) struct ServerOptions {
    /// Listens here, by default on 127.0.0.1:4000; port 0 lets the system choose
    #[structopt(long, value_name = "IP:PORT")]
    pub(crate) addr: Option<SocketAddr>,
    /// The storage engine, kvs or sled; by default the one whose data is there, else kvs
    #[structopt(long, value_name = "NAME")]
    pub(crate) engine: Option<EngineKind>,
    /// What an acknowledged write survives: always (power cuts), interval or interval=MS (power
    /// cuts, but for the last MS milliseconds), os (the end of the process); by default interval=100
    #[structopt(long, value_name = "LEVEL")]
    pub(crate) durability: Option<Durability>,
    /// The data directory, by default the current one
    #[structopt(long, value_name = "DIR", parse(from_os_str))]
    pub(crate) dir: Option<PathBuf>,
    /// The thread pool: naive, queue or rayon; by default queue
    #[structopt(long, value_name = "NAME")]
    pub(crate) pool: Option<PoolKind>,
    /// Threads in the pool, at least 1; by default one for each logical core
    #[structopt(long, value_name = "N", parse(try_from_str = parse_threads))]
    pub(crate) threads: Option<u32>,
    #[structopt(flatten)]
    pub(crate) limits: LimitOptions,
}

impl ServerOptions {
    /// Where to listen.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr.unwrap_or(DEFAULT_ADDR)
    }

    /// The thread pool.
    pub(crate) fn pool(&self) -> PoolKind {
        self.pool.unwrap_or(PoolKind::Queue)
    }

    /// The data directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.as_deref().unwrap_or(Path::new("."))
    }
}

/// The thread pools that can run a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolKind {
    /// A thread for each job.
    Naive,
    /// A fixed number of threads that share one queue.
    Queue,
    /// rayon's work-stealing pool.
    Rayon,
}

impl fmt::Display for PoolKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PoolKind::Naive => "naive",
            PoolKind::Queue => "queue",
            PoolKind::Rayon => "rayon",
        })
    }
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

fn parse_threads(number: &str) -> Result<u32, String> {
    match number.parse() {
        Ok(0) => Err("a pool needs at least one thread".into()),
        Ok(threads) => Ok(threads),
        Err(error) => Err(format!("`{number}`: {error}")),
    }
}
