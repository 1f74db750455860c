//! The command line. The only file here that knows `structopt`.

use crate::chosen::chosen;
use crate::stage::Stage;
use crate::workloads::Work;
use crate::{Outcome, Plan};
use std::path::{Path, PathBuf};
use structopt::StructOpt;
use structopt::clap::AppSettings;

/// The command line.
#[derive(StructOpt)]
#[structopt(
    name = "scaling",
    about = "Measures every stage and `final` side by side, with more and more threads",
    setting = AppSettings::DisableVersion
)]
pub(crate) struct Options {
    /// A look, in a minute: one round of 0.1 s, and not five of 0.25 s
    #[structopt(long)]
    quick: bool,
    /// Everything once, with as little to do as it takes; that is all there is without `--bench`,
    /// which `cargo bench` gives
    #[structopt(long)]
    test: bool,
    /// Measures
    #[structopt(long, hidden = true)]
    bench: bool,
    /// Draws the figures of the record that is kept and fills its tables into benches/README.md, and
    /// measures nothing
    #[structopt(long)]
    pub(crate) draw: bool,
    /// How often everything is measured
    #[structopt(long, value_name = "N")]
    rounds: Option<u32>,
    /// How long a measurement takes; four times that where somebody does nothing but set
    #[structopt(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Only these workloads, a comma between: read, write, mixed, beside-writer, compacting,
    /// server-get, server-set, server-mixed, server-connect
    #[structopt(long, value_name = "NAMES", use_delimiter = true)]
    only: Vec<String>,
    /// Only these stages, a comma between: stage-1 to stage-7, final
    #[structopt(long, value_name = "NAMES", use_delimiter = true)]
    stages: Vec<String>,
    /// Where the stores are made; by default in memory, in /dev/shm, if there is such a place
    #[structopt(long, value_name = "DIR", parse(from_os_str))]
    dir: Option<PathBuf>,
    /// Adds all samples to this file
    #[structopt(long, value_name = "FILE", parse(from_os_str))]
    json: Option<PathBuf>,
}

impl Options {
    pub(crate) fn plan(self) -> Outcome<Plan> {
        let (keys, rounds, seconds) = match self {
            Options { bench: false, .. } | Options { test: true, .. } => (200, 1, 0.001),
            Options { quick: true, .. } => (10_000, 1, 0.1),
            _ => (10_000, 5, 0.25),
        };
        let seconds = self.seconds.unwrap_or(seconds);
        if !(0.001..=60.0).contains(&seconds) {
            return Err(format!("{seconds} seconds: at least 0.001 and at most 60").into());
        }
        let memory = Path::new("/dev/shm");
        let default = || if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        Ok(Plan {
            keys,
            value_bytes: 1024,
            rounds: self.rounds.unwrap_or(rounds),
            seconds,
            works: chosen("workload", self.only, &Work::ALL, Work::name)?,
            stages: chosen("stage", self.stages, &Stage::ALL, Stage::name)?,
            dir: self.dir.unwrap_or_else(default),
            json: self.json,
        })
    }
}
