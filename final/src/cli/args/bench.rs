use super::RemoteArgs;
use crate::cli::bench::Settings;
use crate::cli::numbers;
use structopt::StructOpt;

/// Keys of a bench at most: they are counted in 32 bits.
const MAX_KEYS: usize = u32::MAX as usize;

/// The command line of the bench.
#[derive(Debug, StructOpt)]
#[structopt(after_help = "\
The keys are written before the clock starts, and stay; their names begin with `bench-`.
A client ends when the server makes no progress for the --timeout; what it had left counts as failed.
Ctrl-C prints the report so far.

Without --rate it is a closed loop: a client sends its next request when it has an answer, and a latency is
the time from the call to the answer. While the server stalls it is asked for nothing, so a stall of a second
is one slow request for each client, however many requests users would have sent meanwhile. Gil Tene named
that coordinated omission; his wrk2 avoids it as --rate does.

With --rate it is an open loop: requests are due at a fixed distance from each other, by turns for each client,
and a latency is the time from when the request was due to the answer, with its wait to be sent while the
client waits for others. `late` in the report is that wait. When it has taken a second and twice the time
that was planned, nothing more is sent; what was not sent counts as due until then.

--json and --csv have the same names, with units, and the times in microseconds. --csv prints the names
first, unless stdout is a file that has something in it: so >> adds a line.

EXAMPLES:
    kvs bench                                          16 clients, one request at a time
    kvs bench --clients 256 --read-ratio 1             reads only
    kvs bench --pipeline 64 --requests 5000000         64 requests under way for each client
    kvs bench --connect-each --requests 20000          a connection for each request
    kvs bench --rate 5000                              5000 requests a second, for ten seconds
    for n in 1 4 16; do kvs bench --clients $n --csv >> FILE; done")]
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
