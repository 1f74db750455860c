//! The command line. The only file here that knows `structopt`.

use crate::Outcome;
use crate::engines::Engine;
use crate::run::Plan;
use crate::workloads::Work;
use std::path::PathBuf;
use structopt::StructOpt;
use structopt::clap::AppSettings;

/// The command line.
#[derive(StructOpt)]
#[structopt(
    name = "peers",
    about = "Measures the storage engine of `final` beside its peers",
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
    /// One workload on one engine, in this process
    #[structopt(setting = AppSettings::Hidden)]
    Task {
        /// JSON, made by the process that started this one
        task: String,
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
    pub(crate) fn plan(self, keys: u64, rounds: u32, seconds: f64) -> Outcome<Plan> {
        let keys = self.keys.unwrap_or(keys);
        let seconds = self.seconds.unwrap_or(seconds);
        // The keys' numbers stand in the values with eight hexadecimal digits.
        if !(10..=u64::from(u32::MAX)).contains(&keys) {
            return Err(format!("{keys} keys: at least 10 and fewer than 2^32").into());
        }
        if !(0.01..=3600.0).contains(&seconds) {
            return Err(format!("{seconds} seconds: at least 0.01 and at most 3600").into());
        }
        Ok(Plan {
            keys,
            rounds: self.rounds.unwrap_or(rounds),
            seconds,
            works: chosen("workload", self.only, &Work::ALL, Work::name)?,
            engines: chosen("engine", self.engines, Engine::ALL, Engine::name)?,
            json: self.json,
        })
    }
}

/// Those of `all` that are named, or all if none is.
fn chosen<T: Copy>(
    what: &str,
    names: Vec<String>,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Outcome<Vec<T>> {
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    let find = |wanted: String| {
        let known = || all.iter().map(|&one| name(one)).collect::<Vec<_>>().join(", ");
        let found = all.iter().copied().find(|&one| name(one) == wanted);
        found.ok_or_else(|| format!("`{wanted}` is no {what}; there are {}", known()).into())
    };
    names.into_iter().map(find).collect()
}
