//! What the command lines take. The only folder here that knows `structopt`.

mod bench;
mod client;
mod limits;
mod server;

pub(crate) use bench::BenchOptions;
pub(crate) use client::{ClientOptions, SessionOptions, StatsOptions};
pub(crate) use server::{PoolKind, ServerOptions};

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use structopt::StructOpt;
use structopt::clap::AppSettings;

// The defaults stand here and not in the attributes: with a `default_value`, `--addr` without an
// address would be taken for the default instead of being refused.

/// Where the server listens and the client connects when nobody says.
pub(crate) const DEFAULT_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4000);

/// The command line of the program that is everything.
#[derive(Debug, StructOpt)]
#[structopt(
    name = "kvs",
    about = "A key/value server, its client, and a check of its data",
    settings = &[AppSettings::SubcommandRequiredElseHelp, AppSettings::VersionlessSubcommands],
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

    `kvs server --help` and so on tell the rest, with examples."
)]
pub(crate) enum KvsOptions {
    /// Runs the server
    Server(ServerOptions),
    /// Talks to a server: one request, a prompt, or a file of requests
    Client(SessionOptions),
    /// Prints what the server counts, a line a figure
    Stats(StatsOptions),
    /// Measures throughput and latency of a server
    Bench(BenchOptions),
    /// Reads every record of a store that is not in use, and changes nothing
    #[structopt(after_help = "EXAMPLE:\n    kvs check DATA")]
    Check {
        /// The data directory
        #[structopt(parse(from_os_str))]
        dir: PathBuf,
    },
}

/// The options that the program was started with. Prints help, version or a complaint and ends the
/// process where that is the answer.
pub(crate) fn parse<T: StructOpt>() -> T {
    T::from_args()
}
