//! What the command lines take. The only file that knows `structopt`.

use super::address::Address;
use super::client::Remote;
use super::command::{self, Command};
use super::numbers;
use super::outcome::{Outcome, err_msg};
use super::output::Output;
use super::server::{PoolKind, ServerEngine};
use crate::{Durability, EngineKind, KvsClientOptions, Limits, Write};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;
use structopt::StructOpt;
use structopt::clap::{AppSettings, ArgMatches};

// The defaults are here and not in the attributes: with a `default_value`, `--addr` without an address
// would be taken for the default instead of being refused.

/// Threads in a pool at most. Far more than a server has a use for, rayon takes a time that grows with
/// their square, and their stacks meet the system's limits.
const MAX_THREADS: usize = 1024;
/// Keys of a bench at most: they are counted in 32 bits.
const MAX_KEYS: usize = u32::MAX as usize;

/// Options and arguments that are paths, and so need not be text.
const PATHS: [&str; 2] = ["dir", "to"];

/// The arguments that the program was started with. Prints help, version or a complaint and ends the
/// process where that is the answer.
///
/// # Errors
/// If an argument is not UTF-8 where that is wanted: `structopt` would panic.
pub(super) fn parse<T: StructOpt>() -> Outcome<T> {
    let matches = T::clap().get_matches();
    match not_text(&matches) {
        None => Ok(T::from_clap(&matches)),
        Some(what) => Err(err_msg(format!("{what:?} is not UTF-8"))),
    }
}

/// An argument that is not UTF-8 and no path.
fn not_text<'a>(matches: &'a ArgMatches<'_>) -> Option<&'a OsStr> {
    // The crate hides these fields, and has no other way to look at all arguments. It is not developed
    // any more, so they stay.
    let texts = matches.args.iter().filter(|(name, _)| !PATHS.contains(name));
    let values = texts.flat_map(|(_, found)| &found.vals).map(OsString::as_os_str);
    let own = values.into_iter().find(|value| value.to_str().is_none());
    own.or_else(|| not_text(&matches.subcommand.as_ref()?.matches))
}

/// The command line of the program that is everything.
#[derive(Debug, StructOpt)]
#[structopt(
    name = "kvs",
    about = "A key/value server, its client, and a check of its data",
    settings = &[AppSettings::SubcommandRequiredElseHelp],
    after_help = "\
QUICK START:
    kvs server --dir DATA         a server on 127.0.0.1:4000 that keeps its data in DATA
                                  and then, in another terminal:
    kvs client set animal crab    gives a key a value
    kvs client get animal         prints it
    kvs client rm animal          removes it
    kvs client                    a prompt for all of that
    kvs client < FILE             the same lines from a file, fast
    kvs stats                     what the server counts
    kvs bench                     how fast it is here
    kvs check DATA                whether the data of a server that is stopped is whole
    kvs check --salvage DATA --to NEW  saves what is whole
    kvs dump DATA > FILE          that data as text, and `kvs restore NEW < FILE` reads it

    `kvs server --help` and so on tell the rest, with examples."
)]
pub(super) enum KvsArgs {
    /// Runs the server
    Server(ServerArgs),
    /// Talks to a server: one request, a prompt, or a file of requests
    Client(ClientArgs),
    /// Prints what the server counts, a line a number
    #[structopt(after_help = "EXAMPLE:\n    kvs stats --addr 127.0.0.1:4000")]
    Stats(RemoteArgs),
    /// Measures throughput and latency of a server
    Bench(BenchArgs),
    /// Reads every record of a store that is not in use, and changes nothing
    ///
    /// The exit code is 0 if nothing is damaged. Otherwise it is 1, and a message names file and offset, or
    /// says why the store can't be read.
    #[structopt(after_help = "\
With --salvage, what is whole in a damaged store is written to a new one. Whatever was given up is listed,
with file and bytes; if anything was, the exit code is 1. A key whose newest record is given up has its
older value again, and a removed key may be back. So it is with all that a lost segment said. Without
MANIFEST, segments that a compaction had replaced but not deleted are read as well, which changes nothing
as long as none of them is missing.

EXAMPLES:
    kvs check DATA
    kvs check --salvage DATA --to NEW")]
    Check {
        /// The data directory
        #[structopt(parse(from_os_str))]
        dir: PathBuf,
        /// Saves what is whole
        #[structopt(long, requires = "to")]
        salvage: bool,
        /// Where to, a directory that is empty or not there yet
        #[structopt(long, value_name = "NEW", parse(from_os_str), requires = "salvage")]
        to: Option<PathBuf>,
    },
    /// Prints a store that is not in use, of either engine, or that of a server: a line of JSON for each key
    #[structopt(after_help = "\
Each line is a request to set the key, as the protocol has it: `kvs restore` reads it, and so does a
server. How many keys there are goes to stderr. Our own store is only read, in the order of its
log; sled opens its files for writing. Of a server that is written to meanwhile, a key may be printed
twice, its newer value last, and is not there as it was at one moment with the others.

EXAMPLES:
    kvs dump DATA > FILE
    kvs dump DATA | kvs restore --engine sled NEW
    kvs dump DATA | kvs restore --addr 127.0.0.1:4000
    kvs dump --addr 127.0.0.1:4000 > FILE")]
    Dump(DumpArgs),
    /// Reads what `kvs dump` has printed, into a new directory or through a server
    Restore(RestoreArgs),
}

/// The command line of `kvs dump`.
#[derive(Debug, StructOpt)]
pub(super) struct DumpArgs {
    /// The data directory
    #[structopt(parse(from_os_str), required_unless = "addr", conflicts_with = "addr")]
    pub(super) dir: Option<PathBuf>,
    #[structopt(flatten)]
    pub(super) remote: RemoteArgs,
}

/// The command line of `kvs restore`.
#[derive(Debug, StructOpt)]
#[structopt(after_help = "\
At the first line that is no request to set a key, or that cannot be done, it ends and names the line;
what the lines before it say stays. If that is the first line, no directory is made.
A directory is synced before it is said how many keys were restored. Through a server, keys that are not
in the file stay as they are, and the server's own durability counts.

EXAMPLES:
    kvs restore NEW < FILE
    kvs restore --engine sled NEW < FILE
    kvs restore --addr 127.0.0.1:4000 < FILE")]
pub(super) struct RestoreArgs {
    /// A directory that is empty or not there yet
    #[structopt(parse(from_os_str), required_unless = "addr", conflicts_with = "addr")]
    pub(super) dir: Option<PathBuf>,
    /// The storage engine of the new directory, kvs or sled; by default kvs
    #[structopt(long, value_name = "NAME", conflicts_with = "addr")]
    pub(super) engine: Option<EngineKind>,
    #[structopt(flatten)]
    pub(super) remote: RemoteArgs,
}

// Which server, and how to talk to it. `structopt` would make a doc comment the help of each command
// that has this.
#[derive(Debug, Default, StructOpt)]
pub(super) struct RemoteArgs {
    /// The server's address, by default 127.0.0.1:4000
    #[structopt(long, value_name = "HOST:PORT")]
    addr: Option<Address>,
    /// How long the server may do nothing while something is expected of it: 30 by default, and 5 for
    /// taking the connection
    #[structopt(long, value_name = "SECONDS", parse(try_from_str = numbers::time))]
    timeout: Option<Duration>,
    /// The longest answer in bytes, as JSON; 1G by default
    #[structopt(long, value_name = "BYTES", parse(try_from_str = numbers::bytes))]
    max_answer: Option<usize>,
}

impl RemoteArgs {
    fn or(self, others: RemoteArgs) -> RemoteArgs {
        RemoteArgs {
            addr: self.addr.or(others.addr),
            timeout: self.timeout.or(others.timeout),
            max_answer: self.max_answer.or(others.max_answer),
        }
    }

    pub(super) fn remote(&self) -> Remote {
        let mut options = KvsClientOptions::new();
        if let Some(time) = self.timeout {
            options = options.connect_timeout(time).read_timeout(time).write_timeout(time);
        }
        if let Some(bytes) = self.max_answer {
            options = options.max_answer(bytes);
        }
        Remote { addr: self.addr.clone().unwrap_or_default(), options }
    }
}

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
    kvs server --engine redis-cluster --nodes HOST:PORT,HOST:PORT

SIGTERM, SIGINT (ctrl-C) and SIGHUP stop it in good order."
)]
pub(super) struct ServerArgs {
    /// Listens here, by default on 127.0.0.1:4000; port 0 lets the system choose
    #[structopt(long, value_name = "HOST:PORT")]
    addr: Option<Address>,
    /// The storage engine: kvs, sled or redis-cluster; by default the one whose data is there, else kvs
    #[structopt(long, value_name = "NAME")]
    pub(super) engine: Option<ServerEngine>,
    /// Nodes of the cluster whose server this is to be (`--engine redis-cluster`); it finds the others itself
    #[structopt(long, value_name = "HOST:PORT,...", use_delimiter = true)]
    pub(super) nodes: Vec<String>,
    /// What an acknowledged write survives: always (power loss), interval or interval=MS (power
    /// loss, but for the last MS milliseconds), os (the end of the process); by default interval=100,
    /// with sled, which has no other, os, and with a cluster whatever its nodes give
    #[structopt(long, value_name = "LEVEL")]
    pub(super) durability: Option<Durability>,
    /// How much garbage there may be beside as much as there is live data, in segments of 64M, from 1 to
    /// 1000000; by default 4. From half of it on, writes wait for the compactor (engine kvs)
    #[structopt(long, value_name = "SEGMENTS", parse(try_from_str = numbers::count_to::<1_000_000>))]
    pub(super) spare_garbage: Option<usize>,
    /// The data directory, by default the current one
    #[structopt(long, value_name = "DIR", parse(from_os_str))]
    dir: Option<PathBuf>,
    /// The thread pool: naive, queue or rayon; by default queue
    #[structopt(long, value_name = "NAME")]
    pool: Option<PoolKind>,
    /// Threads in the pool, 1 to 1024; by default one for each logical core
    #[structopt(long, value_name = "N", parse(try_from_str = parse_threads))]
    threads: Option<u32>,
    #[structopt(flatten)]
    limits: LimitArgs,
}

impl ServerArgs {
    /// Where to listen.
    pub(super) fn addr(&self) -> Address {
        self.addr.clone().unwrap_or_default()
    }

    /// The data directory.
    pub(super) fn dir(&self) -> &Path {
        self.dir.as_deref().unwrap_or(Path::new("."))
    }

    pub(super) fn pool(&self) -> PoolKind {
        self.pool.unwrap_or(PoolKind::Queue)
    }

    pub(super) fn threads(&self) -> u32 {
        self.threads.unwrap_or(num_cpus::get().min(MAX_THREADS) as u32)
    }

    pub(super) fn limits(&self) -> Limits {
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

/// The command line of the client that can do without a command.
#[derive(Debug, StructOpt)]
#[structopt(after_help = "\
EXAMPLES:
    kvs client set animal crab      one request
    kvs client                      a prompt; `help` there tells the rest
    kvs client < FILE               a request a line, as at the prompt, but many under way at once")]
pub(super) struct ClientArgs {
    #[structopt(flatten)]
    options: ClientOptions,
    /// Without a command: a prompt on a terminal, else one request a line
    #[structopt(subcommand)]
    request: Option<RequestArgs>,
}

impl ClientArgs {
    /// Which server, how its answers are printed, and what it is asked if that is on the command line.
    pub(super) fn split(self) -> (Remote, Output, Option<Command>) {
        let (own, command) = self.request.map(RequestArgs::split).unzip();
        let (remote, output) = own.unwrap_or_default().or(self.options).split();
        (remote, output, command)
    }
}

// They may be before a request's name and behind it.
#[derive(Debug, Default, StructOpt)]
pub(super) struct ClientOptions {
    #[structopt(flatten)]
    remote: RemoteArgs,
    /// Prints each answer as a line of JSON: {"Ok":"VALUE"}, {"Ok":null}, {"Err":"MESSAGE"}
    #[structopt(long)]
    json: bool,
}

impl ClientOptions {
    fn or(self, others: ClientOptions) -> ClientOptions {
        let json = self.json || others.json;
        ClientOptions { remote: self.remote.or(others.remote), json }
    }

    /// Which server, and how its answers are printed.
    pub(super) fn split(&self) -> (Remote, Output) {
        (self.remote.remote(), Output::of_stdout(self.json))
    }
}

/// The command line of a single request.
#[derive(Debug, StructOpt)]
#[structopt(name = "kvs-client", about = "Talks to a key/value server")]
pub(super) enum RequestArgs {
    /// Prints the value of a key
    #[structopt(after_help = "\
Where there is no such key it prints `Key not found`, and the exit code is 0. --json tells that from a value.
What a terminal could obey is printed there as a JSON string.

EXAMPLE:
    kvs client get animal")]
    Get {
        /// The key
        key: String,
        #[structopt(flatten)]
        options: ClientOptions,
    },
    /// Gives a key a value
    #[structopt(after_help = "\
EXAMPLES:
    kvs client set animal crab
    kvs client set degrees -- -5")]
    Set {
        /// The key
        key: String,
        /// The value; put `--` before one that starts with a dash
        value: String,
        #[structopt(flatten)]
        options: ClientOptions,
    },
    /// Removes a key and its value
    #[structopt(after_help = "\
Where there is no such key the exit code is 1.

EXAMPLE:
    kvs client rm animal")]
    Rm {
        /// The key
        key: String,
        #[structopt(flatten)]
        options: ClientOptions,
    },
    /// Gives a key a value if it has the one that is expected
    #[structopt(after_help = "\
Where the value is another, the exit code is 1.

EXAMPLES:
    kvs client cas counter 1 2
    kvs client cas counter null 1    if there is no such key; null for NEW removes it")]
    Cas {
        /// The key
        key: String,
        /// The value that is expected, or null
        #[structopt(parse(from_str = value_or_null))]
        old: OrNull,
        /// The value from then on, or null
        #[structopt(parse(from_str = value_or_null))]
        new: OrNull,
        #[structopt(flatten)]
        options: ClientOptions,
    },
    /// Sets and removes several keys: all of it is done or nothing, also if the server is killed
    #[structopt(after_help = "\
EXAMPLE:
    kvs client batch '[[\"animal\",\"crab\"],[\"plant\",null]]'    sets one and removes the other")]
    Batch {
        /// An array of pairs in JSON: key and value, or null to remove the key
        #[structopt(parse(try_from_str = command::batch))]
        writes: Write,
        #[structopt(flatten)]
        options: ClientOptions,
    },
    /// Prints how many keys there are
    #[structopt(after_help = "EXAMPLE:\n    kvs client len --addr 127.0.0.1:4000")]
    Len {
        #[structopt(flatten)]
        options: ClientOptions,
    },
    /// Prints all keys in no order, a line each; one that is written meanwhile perhaps twice
    #[structopt(after_help = "EXAMPLE:\n    kvs client keys | sort -u")]
    Keys {
        #[structopt(flatten)]
        options: ClientOptions,
    },
}

/// So that `structopt` does not take it for an argument that may be missing.
type OrNull = Option<String>;

fn value_or_null(text: &str) -> OrNull {
    Some(text.to_owned()).filter(|text| text != "null")
}

impl RequestArgs {
    /// Which server in what way, and what it is asked.
    pub(super) fn split(self) -> (ClientOptions, Command) {
        match self {
            RequestArgs::Get { key, options } => (options, Command::Get { key }),
            RequestArgs::Set { key, value, options } => {
                (options, Command::Write(Write::Set { key, value }))
            }
            RequestArgs::Rm { key, options } => (options, Command::Write(Write::Remove { key })),
            RequestArgs::Cas { key, old: expected, new, options } => {
                (options, Command::Write(Write::CompareAndSet { key, expected, new }))
            }
            RequestArgs::Batch { writes, options } => (options, Command::Write(writes)),
            RequestArgs::Len { options } => (options, Command::Len),
            RequestArgs::Keys { options } => (options, Command::Keys),
        }
    }
}

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
pub(super) struct BenchArgs {
    #[structopt(flatten)]
    pub(super) remote: RemoteArgs,
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
    pub(super) connect_each: bool,
}

impl BenchArgs {
    pub(super) fn clients(&self) -> u32 {
        self.clients.unwrap_or(16) as u32
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.unwrap_or(100_000) as u64
    }

    pub(super) fn read_ratio(&self) -> f64 {
        self.read_ratio.unwrap_or(0.9)
    }

    pub(super) fn pipeline(&self) -> usize {
        self.pipeline.unwrap_or(1)
    }

    pub(super) fn keys(&self) -> u32 {
        self.keys.unwrap_or(1000) as u32
    }

    pub(super) fn value_size(&self) -> usize {
        self.value_size.unwrap_or(16)
    }
}

fn parse_threads(number: &str) -> Result<u32, String> {
    match number {
        "0" => Err("a pool needs at least one thread".into()),
        _ => Ok(numbers::count_to::<MAX_THREADS>(number)? as u32),
    }
}
