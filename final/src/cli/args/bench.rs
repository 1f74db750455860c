use super::{RemoteArgs, help};
use crate::cli::bench::Settings;
use crate::cli::numbers;
use structopt::StructOpt;

/// Keys of a bench at most: they are counted in 32 bits.
const MAX_KEYS: usize = u32::MAX as usize;

/// The command line of the bench.
#[derive(Debug, StructOpt)]
#[structopt(after_help = help("kvs bench"))]
pub(in crate::cli) struct BenchArgs {
    #[structopt(flatten)]
    pub(in crate::cli) remote: RemoteArgs,
    /// Clients, each with a thread and a connection of its own; by default 16, at most 10000
    #[structopt(long, value_name = "N", parse(try_from_str = numbers::count_to::<10_000>))]
    clients: Option<usize>,
    /// Requests of all clients together, by default 100000, or with --rate those of ten seconds
    #[structopt(long, value_name = "M", parse(try_from_str = numbers::count))]
    requests: Option<usize>,
    /// An open loop: requests that are due in each second, of all clients together, whatever the server does
    #[structopt(long, value_name = "N", parse(try_from_str = numbers::rate))]
    rate: Option<f64>,
    /// The share of reads, from 0 to 1; by default 0.9. The others are writes
    #[structopt(long, value_name = "R", parse(try_from_str = numbers::ratio))]
    read_ratio: Option<f64>,
    /// Requests that a client has under way at most, by default 1, at most 100000
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
    connect_each: bool,
    /// Prints the report as one JSON object
    #[structopt(long, conflicts_with = "csv")]
    pub(in crate::cli) json: bool,
    /// Prints the report as a line of CSV, below one with the names
    #[structopt(long)]
    pub(in crate::cli) csv: bool,
}

impl BenchArgs {
    /// What is to be done.
    pub(in crate::cli) fn settings(&self) -> Settings {
        let requests = self.rate.map_or(100_000, |rate| (rate * 10.0).ceil() as usize);
        Settings {
            clients: self.clients.unwrap_or(16) as u64,
            requests: self.requests.unwrap_or(requests) as u64,
            rate: self.rate,
            read_ratio: self.read_ratio.unwrap_or(0.9),
            pipeline: self.pipeline.unwrap_or(1),
            keys: self.keys.unwrap_or(1000) as u32,
            value_size: self.value_size.unwrap_or(16),
            connect_each: self.connect_each,
        }
    }
}
