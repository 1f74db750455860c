use super::help;
use crate::cli::address::Address;
use crate::cli::numbers;
use crate::cli::server::{POOLS, Pool};
use crate::{Durability, EngineKind, Limits};
use std::path::{Path, PathBuf};
use std::time::Duration;
use structopt::StructOpt;

/// Threads in a pool at most. Far more than a server has a use for, rayon takes a time that grows with
/// their square, and their stacks meet the system's limits.
const MAX_THREADS: usize = 1024;

/// The command line of a server.
#[derive(Debug, StructOpt)]
#[structopt(
    name = "kvs-server",
    about = "A key/value server",
    after_help = help("kvs server")
)]
pub(in crate::cli) struct ServerArgs {
    /// Listens here, by default on 127.0.0.1:4000; port 0 lets the system choose
    #[structopt(long, value_name = "HOST:PORT")]
    addr: Option<Address>,
    /// The storage engine: kvs, sled or redis-cluster; by default the one whose data is there, else kvs
    #[structopt(long, value_name = "NAME", parse(try_from_str = engine))]
    pub(in crate::cli) engine: Option<OrCluster>,
    /// Nodes of the cluster whose server this is to be (`--engine redis-cluster`); it finds the others itself
    #[structopt(long, value_name = "HOST:PORT,...", use_delimiter = true)]
    pub(in crate::cli) nodes: Vec<String>,
    /// What an acknowledged write survives: always (power loss), interval or interval=MS (power
    /// loss, but for the last MS milliseconds), os (the end of the process); by default interval=100,
    /// with sled, which has no other, os, and with a cluster whatever its nodes give
    #[structopt(long, value_name = "LEVEL")]
    pub(in crate::cli) durability: Option<Durability>,
    /// How much garbage there may be beside as much as there is live data, in segments of 64M, from 1 to
    /// 1000000; by default 4. From half of it on, writes wait for the compactor (engine kvs)
    #[structopt(long, value_name = "SEGMENTS", parse(try_from_str = numbers::count_to::<1_000_000>))]
    pub(in crate::cli) spare_garbage: Option<usize>,
    /// The data directory, by default the current one
    #[structopt(long, value_name = "DIR", parse(from_os_str))]
    dir: Option<PathBuf>,
    /// The thread pool: naive, queue or rayon; by default queue
    #[structopt(long, value_name = "NAME", parse(try_from_str = pool))]
    pool: Option<Pool>,
    /// Threads in the pool, 1 to 1024; by default one for each logical core
    #[structopt(long, value_name = "N", parse(try_from_str = numbers::count_to::<MAX_THREADS>))]
    threads: Option<usize>,
    #[structopt(flatten)]
    limits: LimitArgs,
}

impl ServerArgs {
    /// Where to listen.
    pub(in crate::cli) fn addr(&self) -> Address {
        self.addr.clone().unwrap_or_default()
    }

    /// The data directory.
    pub(in crate::cli) fn dir(&self) -> &Path {
        self.dir.as_deref().unwrap_or(Path::new("."))
    }

    pub(in crate::cli) fn pool(&self) -> Pool {
        self.pool.unwrap_or(POOLS[0])
    }

    pub(in crate::cli) fn threads(&self) -> u32 {
        self.threads.unwrap_or(num_cpus::get().min(MAX_THREADS)) as u32
    }

    pub(in crate::cli) fn limits(&self) -> Limits {
        let (args, default) = (&self.limits, Limits::default());
        Limits {
            request_bytes: args.max_request.unwrap_or(default.request_bytes),
            key_bytes: args.max_key.unwrap_or(default.key_bytes),
            value_bytes: args.max_value.unwrap_or(default.value_bytes),
            buffered_bytes: args.max_buffered.unwrap_or(default.buffered_bytes),
            connections: args.max_connections.unwrap_or(default.connections),
            jobs: args.max_jobs.unwrap_or(self.threads() as usize),
            request_time: args.request_timeout.unwrap_or(default.request_time),
            answer_time: args.answer_timeout.unwrap_or(default.answer_time),
            idle_time: args.idle_timeout.or(default.idle_time),
            keepalive_time: args.keepalive.unwrap_or(default.keepalive_time),
        }
    }
}

// What a server takes from its clients.
#[derive(Debug, StructOpt)]
struct LimitArgs {
    /// The longest request in bytes, with its newline; 16M by default. K, M and G are understood
    #[structopt(long, value_name = "BYTES", parse(try_from_str = numbers::bytes))]
    max_request: Option<usize>,
    /// The longest key in bytes; 65535 by default
    #[structopt(long, value_name = "BYTES", parse(try_from_str = numbers::bytes))]
    max_key: Option<usize>,
    /// The longest value in bytes; 16M by default
    #[structopt(long, value_name = "BYTES", parse(try_from_str = numbers::bytes))]
    max_value: Option<usize>,
    /// Bytes of requests that have arrived in part and of answers that were not taken yet, of all
    /// connections together; 256M by default
    #[structopt(long, value_name = "BYTES", parse(try_from_str = numbers::bytes))]
    max_buffered: Option<usize>,
    /// Connections at a time; 10000 by default
    #[structopt(long, value_name = "N", parse(try_from_str = numbers::count))]
    max_connections: Option<usize>,
    /// Event loops, each a job of the pool; as many as it has threads by default
    #[structopt(long, value_name = "N", parse(try_from_str = numbers::count))]
    max_jobs: Option<usize>,
    /// How long a request may take to arrive, or each 16 KiB of a large one; 30 by default
    #[structopt(long, value_name = "SECONDS", parse(try_from_str = numbers::time))]
    request_timeout: Option<Duration>,
    /// How long a client may take to accept an answer, or each 16 KiB of a large one; 30 by default
    #[structopt(long, value_name = "SECONDS", parse(try_from_str = numbers::time))]
    answer_timeout: Option<Duration>,
    /// How long a connection may be idle; for ever by default
    #[structopt(long, value_name = "SECONDS", parse(try_from_str = numbers::time))]
    idle_timeout: Option<Duration>,
    /// How long a client whose machine is gone without a word keeps its place, or the answer timeout if
    /// that is longer; 300 by default
    #[structopt(long, value_name = "SECONDS", parse(try_from_str = numbers::time))]
    keepalive: Option<Duration>,
}

/// An engine with a data directory, or a Redis Cluster, which has none.
type OrCluster = Option<EngineKind>;

fn engine(name: &str) -> Result<OrCluster, String> {
    let unknown = |_| format!("`{name}` is no engine; there are `kvs`, `sled` and `redis-cluster`");
    if name == "redis-cluster" { Ok(None) } else { name.parse().map(Some).map_err(unknown) }
}

fn pool(name: &str) -> Result<Pool, String> {
    let unknown = || format!("`{name}` is no pool; there are `naive`, `queue` and `rayon`");
    POOLS.into_iter().find(|(pool, _)| *pool == name).ok_or_else(unknown)
}
