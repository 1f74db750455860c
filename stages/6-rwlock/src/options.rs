//! What the command line takes. The only file here that knows `structopt`.

use kvs_common::options::ServerOptions;
use std::num::NonZeroU32;
use std::str::FromStr;
use structopt::StructOpt;

/// The command line of a server that can be run by any thread pool.
#[derive(Debug, StructOpt)]
#[structopt(name = "kvs-server", about = "A key/value server")]
pub(crate) struct PooledServerOptions {
    /// What every server takes.
    #[structopt(flatten)]
    pub(crate) server: ServerOptions,
    /// The thread pool: naive, queue or rayon; by default queue
    #[structopt(long, value_name = "NAME")]
    pub(crate) pool: Option<PoolKind>,
    /// Threads in the pool, at least 1; by default one for each logical core
    #[structopt(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroU32>,
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
