//! What the command lines take. Only the files here know `structopt`.

mod bench;
mod client;
mod server;

pub(super) use bench::BenchArgs;
pub(super) use client::{ClientArgs, RequestArgs};
pub(super) use server::ServerArgs;

use super::address::Address;
use super::client::Remote;
use super::numbers;
use super::outcome::{Outcome, err_msg};
use crate::{EngineKind, KvsClientOptions};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;
use structopt::StructOpt;
use structopt::clap::{AppSettings, ArgMatches};

// The defaults are here and not in the attributes: with a `default_value`, `--addr` without an address
// would be taken for the default instead of being refused.

/// Options and arguments that are paths, and so need not be text.
const PATHS: [&str; 2] = ["dir", "to"];

/// The arguments that the program was started with. Prints help, version or a complaint and ends the
/// process where that is the answer.
///
/// # Errors
/// If an argument is not UTF-8 where that is wanted: `structopt` would panic.
pub(super) fn parse<T: StructOpt>() -> Outcome<T> {
    let mut matches = T::clap().get_matches();
    lift(&mut matches);
    match not_text(&matches) {
        None => Ok(T::from_clap(&matches)),
        Some(what) => Err(err_msg(format!("{what:?} is not UTF-8"))),
    }
}

/// The end of the help of a command: its part of `help.txt`.
fn help(command: &str) -> &'static str {
    let mut parts =
        include_str!("help.txt").split("\n== ").filter_map(|part| part.split_once('\n'));
    parts.find(|(name, _)| *name == command).map_or("", |(_, text)| text.trim_end())
}

/// Gives a command what its subcommand was given, so that options may be before its name and behind it. `clap` does
/// so only at the root, for what is `global` there.
fn lift(matches: &mut ArgMatches<'_>) {
    if let Some(own) = &mut matches.subcommand {
        lift(&mut own.matches);
        matches.args.extend(own.matches.args.iter().map(|(name, found)| (*name, found.clone())));
    }
}

/// An argument that is not UTF-8 and no path; those of subcommands were lifted.
fn not_text<'a>(matches: &'a ArgMatches<'_>) -> Option<&'a OsStr> {
    // The crate hides these fields, and has no other way to look at all arguments. It is not developed
    // any more, so they stay.
    let texts = matches.args.iter().filter(|(name, _)| !PATHS.contains(name));
    let mut values = texts.flat_map(|(_, found)| &found.vals).map(OsString::as_os_str);
    values.find(|value| value.to_str().is_none())
}

/// The command line of the program that is everything.
#[derive(Debug, StructOpt)]
#[structopt(
    name = "kvs",
    about = "A key/value server, its client, and a check of its data",
    settings = &[AppSettings::SubcommandRequiredElseHelp],
    after_help = help("kvs")
)]
pub(super) enum KvsArgs {
    /// Runs the server
    Server(ServerArgs),
    /// Talks to a server: one request, a prompt, or a file of requests
    Client(ClientArgs),
    /// Prints what the server counts, a line a number
    #[structopt(after_help = help("kvs stats"))]
    Stats(RemoteArgs),
    /// Measures throughput and latency of a server
    Bench(BenchArgs),
    /// Reads every record of a store that is not in use, and changes nothing
    ///
    /// The exit code is 0 if nothing is damaged. Otherwise it is 1, and a message names file and offset, or
    /// says why the store can't be read.
    #[structopt(after_help = help("kvs check"))]
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
    #[structopt(after_help = help("kvs dump"))]
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
#[structopt(after_help = help("kvs restore"))]
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
#[derive(Debug, StructOpt)]
pub(super) struct RemoteArgs {
    /// The server's address, by default 127.0.0.1:4000
    #[structopt(long, global = true, value_name = "HOST:PORT")]
    addr: Option<Address>,
    /// How long the server may do nothing while something is expected of it: 30 by default, and 5 for
    /// taking the connection
    #[structopt(long, global = true, value_name = "SECONDS", parse(try_from_str = numbers::time))]
    timeout: Option<Duration>,
    /// The longest answer in bytes, as JSON; 1G by default
    #[structopt(long, global = true, value_name = "BYTES", parse(try_from_str = numbers::bytes))]
    max_answer: Option<usize>,
}

impl RemoteArgs {
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
