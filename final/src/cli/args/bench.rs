use super::RemoteArgs;
use crate::cli::numbers;
use structopt::StructOpt;

/// Keys of a bench at most: they are counted in 32 bits.
const MAX_KEYS: usize = u32::MAX as usize;

/// The command line of the bench.
#[derive(Debug, StructOpt)]
#[structopt(after_help = "\
The keys are written before the clock starts, and stay; their names begin with `bench-`.
A latency is the time from the call to the answer, also for a call that is one of many under way.
A client ends when the server makes no progress for the --timeout; what it had left counts as failed.
Ctrl-C prints the report so far.

EXAMPLES:
    kvs bench                                          16 clients, one request at a time
    kvs bench --clients 256 --read-ratio 1             reads only
    kvs bench --pipeline 64 --requests 5000000         64 requests under way for each client
    kvs bench --connect-each --requests 20000          a connection for each request")]
pub(in crate::cli) struct BenchArgs {
    #[structopt(flatten)]
    pub(in crate::cli) remote: RemoteArgs,
    /// Clients, each with a thread and a connection of its own; by default 16, at most 10000
    #[structopt(long, value_name = "N", parse(try_from_str = numbers::count_to::<10_000>))]
    clients: Option<usize>,
    /// Requests of all clients together, by default 100000
    #[structopt(long, value_name = "M", parse(try_from_str = numbers::count))]
    requests: Option<usize>,
    /// The share of reads, from 0 to 1; by default 0.9. The others are writes
    #[structopt(long, value_name = "R", parse(try_from_str = numbers::ratio))]
    read_ratio: Option<f64>,
    /// Requests that a client has under way, by default 1, at most 100000
    #[structopt(long, value_name = "D", conflicts_with = "connect-each",
                parse(try_from_str = numbers::count_to::<100_000>))]
    pipeline: Option<usize>,
    /// Keys, by default 1000
    #[structopt(long, value_name = "N", parse(try_from_str = numbers::count_to::<MAX_KEYS>))]
    keys: Option<usize>,
    /// The length of each value in bytes, by default 16, at most 64M. K, M and G are understood
    #[structopt(long, value_name = "BYTES", parse(try_from_str = numbers::bytes_to::<{ 64 << 20 }>))]
    value_size: Option<usize>,
    /// A connection for each request
    #[structopt(long)]
    pub(in crate::cli) connect_each: bool,
}

impl BenchArgs {
    pub(in crate::cli) fn clients(&self) -> u32 {
        self.clients.unwrap_or(16) as u32
    }

    pub(in crate::cli) fn requests(&self) -> u64 {
        self.requests.unwrap_or(100_000) as u64
    }

    pub(in crate::cli) fn read_ratio(&self) -> f64 {
        self.read_ratio.unwrap_or(0.9)
    }

    pub(in crate::cli) fn pipeline(&self) -> usize {
        self.pipeline.unwrap_or(1)
    }

    pub(in crate::cli) fn keys(&self) -> u32 {
        self.keys.unwrap_or(1000) as u32
    }

    pub(in crate::cli) fn value_size(&self) -> usize {
        self.value_size.unwrap_or(16)
    }
}
