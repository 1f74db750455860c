use super::DEFAULT_ADDR;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use structopt::StructOpt;

/// The command line of the bench.
#[derive(Debug, StructOpt)]
#[structopt(after_help = "\
The keys are written before the clock starts, and stay; their names begin with `bench-`.
A latency is the time from the call to the answer, also for a call that is one of many under way.

EXAMPLES:
    kvs bench                                          16 clients, one request at a time
    kvs bench --clients 256 --read-ratio 1             reads only
    kvs bench --pipeline 64 --requests 5000000         64 requests under way for each client
    kvs bench --connect-each --requests 20000          a connection for each request")]
pub(crate) struct BenchOptions {
    /// The server's address, by default 127.0.0.1:4000
    #[structopt(long, value_name = "IP:PORT")]
    addr: Option<SocketAddr>,
    /// Clients, each with a thread and a connection of its own; by default 16
    #[structopt(long, value_name = "N")]
    clients: Option<NonZeroU32>,
    /// Requests of all clients together, by default 100000
    #[structopt(long, value_name = "M")]
    requests: Option<NonZeroU64>,
    /// The share of reads, from 0 to 1; by default 0.9. The others are writes
    #[structopt(long, value_name = "R", parse(try_from_str = parse_ratio))]
    read_ratio: Option<f64>,
    /// Requests that a client has under way, by default 1
    #[structopt(long, value_name = "D", conflicts_with = "connect-each")]
    pipeline: Option<NonZeroU32>,
    /// Keys, by default 1000
    #[structopt(long, value_name = "N")]
    keys: Option<NonZeroU32>,
    /// The length of each value in bytes, by default 16
    #[structopt(long, value_name = "BYTES")]
    value_size: Option<usize>,
    /// A connection for each request
    #[structopt(long)]
    pub(crate) connect_each: bool,
}

impl BenchOptions {
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr.unwrap_or(DEFAULT_ADDR)
    }

    pub(crate) fn clients(&self) -> u32 {
        self.clients.map_or(16, NonZeroU32::get)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.map_or(100_000, NonZeroU64::get)
    }

    pub(crate) fn read_ratio(&self) -> f64 {
        self.read_ratio.unwrap_or(0.9)
    }

    pub(crate) fn pipeline(&self) -> usize {
        self.pipeline.map_or(1, |depth| depth.get() as usize)
    }

    pub(crate) fn keys(&self) -> u32 {
        self.keys.map_or(1000, NonZeroU32::get)
    }

    pub(crate) fn value_size(&self) -> usize {
        self.value_size.unwrap_or(16)
    }
}

fn parse_ratio(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err(format!("`{text}` is no number from 0 to 1")),
    }
}
