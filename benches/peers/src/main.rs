//! `final`'s storage engine beside its peers, in one run: who is how fast, and at which promise.
//!
//! Every workload on every engine runs in a process of its own, so that neither finds the memory or
//! the caches of another; the engines take turns, round by round. See `benches/README.md`.

mod data;
mod engines;
mod latency;
mod options;
mod rates;
mod record;
mod reopen;
mod report;
mod rows;
mod run;
mod workloads;

use options::{Command, Options};
use record::Record;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use structopt::StructOpt;

/// A result with whatever went wrong, in words.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let done = match Options::from_args().command {
        Command::Quick(choice) => measure(choice.plan(100_000, 1, 0.3)),
        Command::Full(choice) => measure(choice.plan(1_000_000, 3, 2.0)),
        Command::Tables { record, text } => tables(&record, text.as_deref()),
        Command::Task { task } => workloads::run(&task),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(plan: Outcome<run::Plan>) -> Outcome<()> {
    println!("{}", report::markdown(&run::run(&plan?)?));
    Ok(())
}

fn tables(record: &Path, text: Option<&Path>) -> Outcome<()> {
    let tables = report::markdown(&Record::read(record)?);
    match text {
        None => println!("{tables}"),
        Some(path) => fs::write(path, report::insert(&fs::read_to_string(path)?, &tables)?)?,
    }
    Ok(())
}
