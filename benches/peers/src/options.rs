//! The command line. The only file here that knows `structopt`.

use crate::chosen::chosen;
use crate::engines::Engine;
use crate::workloads::Work;
use crate::{Outcome, cuts, run, servers};
use std::net::SocketAddr;
use std::path::PathBuf;
use structopt::StructOpt;
use structopt::clap::AppSettings;

/// The command line.
#[derive(StructOpt)]
#[structopt(
    name = "peers",
    about = "Measures the storage engine and the server of `final` beside their peers",
    settings = &[AppSettings::SubcommandRequiredElseHelp, AppSettings::VersionlessSubcommands]
)]
pub(crate) struct Options {
    #[structopt(subcommand)]
    pub(crate) command: Command,
}

#[derive(StructOpt)]
pub(crate) enum Command {
    /// A look, in a minute or two: 100,000 keys, one round of 0.3 s
    Quick(Choice),
    /// The real thing: 1,000,000 keys, three rounds of 2 s
    Full(Choice),
    /// Prints the tables of a record, or puts them into a text, between its two marks
    Tables {
        /// What `--json` wrote
        #[structopt(parse(from_os_str))]
        record: PathBuf,
        /// The Markdown file to change
        #[structopt(parse(from_os_str))]
        text: Option<PathBuf>,
    },
    /// The servers instead of the engines
    #[structopt(setting = AppSettings::SubcommandRequiredElseHelp)]
    Servers(ServersCommand),
    /// Cuts the power under the engines at their synced settings, and looks what is left
    Cuts(CutsChoice),
    /// Writes until the power is cut, in this process
    #[structopt(setting = AppSettings::Hidden)]
    CutWriter {
        /// The engine's name
        engine: String,
        /// Where the store is
        #[structopt(parse(from_os_str))]
        dir: PathBuf,
        /// The first number
        next: u64,
    },
    /// Looks what is left, in this process
    #[structopt(setting = AppSettings::Hidden)]
    CutReader {
        /// The engine's name
        engine: String,
        /// Where the store is
        #[structopt(parse(from_os_str))]
        dir: PathBuf,
    },
    /// One workload on one engine, in this process
    #[structopt(setting = AppSettings::Hidden)]
    Task {
        /// JSON, made by the process that started this one
        task: String,
    },
    /// The limit of a server, in this process
    #[structopt(setting = AppSettings::Hidden)]
    Echo {
        /// Where to listen
        addr: SocketAddr,
    },
    /// Connections that say nothing, until the input ends
    #[structopt(setting = AppSettings::Hidden)]
    Idle {
        /// Whose
        addr: SocketAddr,
        /// How many
        count: u64,
    },
}

#[derive(StructOpt)]
pub(crate) enum ServersCommand {
    /// A look, in about a minute: one round of 0.3 s
    Quick(ServersChoice),
    /// The real thing: nine rounds of 0.5 s
    Full(ServersChoice),
    /// Prints the tables of a record, or puts them into a text, between its two marks
    Tables {
        /// What `--json` wrote
        #[structopt(parse(from_os_str))]
        record: PathBuf,
        /// The Markdown file to change
        #[structopt(parse(from_os_str))]
        text: Option<PathBuf>,
    },
}

/// What is to be measured, and how long.
#[derive(StructOpt)]
pub(crate) struct Choice {
    /// How many keys
    #[structopt(long, value_name = "N")]
    keys: Option<u64>,
    /// How often every engine is measured
    #[structopt(long, value_name = "N")]
    rounds: Option<u32>,
    /// How long a workload is measured
    #[structopt(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Only these workloads, a comma between: load, get16, get1k, mixed, readers, synced, latency
    #[structopt(long, value_name = "NAMES", use_delimiter = true)]
    only: Vec<String>,
    /// Only these engines, a comma between: the names are the heads of the tables
    #[structopt(long, value_name = "NAMES", use_delimiter = true)]
    engines: Vec<String>,
    /// Adds all samples to this file
    #[structopt(long, value_name = "FILE", parse(from_os_str))]
    json: Option<PathBuf>,
}

impl Choice {
    /// The plan, with the given values for what nobody chose.
    pub(crate) fn plan(self, keys: u64, rounds: u32, seconds: f64) -> Outcome<run::Plan> {
        let keys = self.keys.unwrap_or(keys);
        let seconds = time(self.seconds.unwrap_or(seconds))?;
        // The keys' numbers stand in the values with eight hexadecimal digits.
        if !(10..=u64::from(u32::MAX)).contains(&keys) {
            return Err(format!("{keys} keys: at least 10 and fewer than 2^32").into());
        }
        Ok(run::Plan {
            keys,
            rounds: self.rounds.unwrap_or(rounds),
            seconds,
            works: chosen("workload", self.only, &Work::ALL, Work::name)?,
            engines: chosen("engine", self.engines, Engine::ALL, Engine::name)?,
            json: self.json,
        })
    }
}

/// How often the power is cut, and under whom.
#[derive(StructOpt)]
pub(crate) struct CutsChoice {
    /// How often under each engine on each file system
    #[structopt(long, value_name = "N", default_value = "100")]
    cuts: u64,
    /// Only these engines, a comma between
    #[structopt(long, value_name = "NAMES", use_delimiter = true)]
    engines: Vec<String>,
    /// On these file systems, a comma between
    #[structopt(long, value_name = "NAMES", use_delimiter = true, default_value = "ext4")]
    file_systems: Vec<String>,
    /// Writes the counts to this file
    #[structopt(long, value_name = "FILE", parse(from_os_str))]
    json: Option<PathBuf>,
    /// Puts the table of that file into this text, between its two marks, and cuts nothing
    #[structopt(long, value_name = "FILE", parse(from_os_str), requires = "json")]
    pub(crate) text: Option<PathBuf>,
}

impl CutsChoice {
    /// The plan.
    pub(crate) fn plan(self) -> Outcome<cuts::Plan> {
        let engines = chosen("engine", self.engines, cuts::ENGINES, Engine::name)?;
        Ok(cuts::Plan {
            cuts: self.cuts,
            engines,
            file_systems: self.file_systems,
            json: self.json,
        })
    }
}

/// The engine of this name.
pub(crate) fn engine(name: String) -> Outcome<Engine> {
    let found = chosen("engine", vec![name], Engine::ALL, Engine::name)?;
    found.first().copied().ok_or_else(|| "no engine".into())
}

/// Which servers are to be measured, and how long.
#[derive(StructOpt)]
pub(crate) struct ServersChoice {
    /// How often every server is measured
    #[structopt(long, value_name = "N")]
    rounds: Option<u32>,
    /// How long a workload is measured
    #[structopt(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Only these workloads, a comma between: get16, get64, get256, get1000, pipeline16, pipeline64,
    /// connect16, connect64, set, idle, calls
    #[structopt(long, value_name = "NAMES", use_delimiter = true)]
    only: Vec<String>,
    /// Only these servers, a comma between: the names are the heads of the tables
    #[structopt(long, value_name = "NAMES", use_delimiter = true)]
    servers: Vec<String>,
    /// How many idle connections; 10000 by default
    #[structopt(long, value_name = "N")]
    idle: Option<u64>,
    /// The program `kvs`; by default what a release build at the root leaves
    #[structopt(long, value_name = "PROGRAM", parse(from_os_str))]
    kvs: Option<PathBuf>,
    /// Adds all samples to this file
    #[structopt(long, value_name = "FILE", parse(from_os_str))]
    json: Option<PathBuf>,
}

impl ServersChoice {
    /// The plan, with the given values for what nobody chose.
    pub(crate) fn plan(self, rounds: u32, seconds: f64) -> Outcome<servers::run::Plan> {
        use servers::{Server, workloads::Work};
        let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/release/kvs");
        Ok(servers::run::Plan {
            rounds: self.rounds.unwrap_or(rounds),
            seconds: time(self.seconds.unwrap_or(seconds))?,
            works: chosen("workload", self.only, &Work::ALL, Work::name)?,
            servers: chosen("server", self.servers, Server::ALL, Server::name)?,
            idle: self.idle.unwrap_or(10_000),
            kvs: self.kvs.unwrap_or_else(|| built.into()),
            json: self.json,
        })
    }
}

/// The time of a measurement, if it is one.
fn time(seconds: f64) -> Outcome<f64> {
    if !(0.01..=3600.0).contains(&seconds) {
        return Err(format!("{seconds} seconds: at least 0.01 and at most 3600").into());
    }
    Ok(seconds)
}
