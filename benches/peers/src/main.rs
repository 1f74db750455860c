//! `final`'s storage engine and its server beside their peers, in one run: who is how fast, and at
//! which promise.
//!
//! Every workload on every engine runs in a process of its own, so that neither finds the memory or
//! the caches of another; the engines take turns, round by round. Likewise the servers, of which
//! each is a process and its clients another. See `benches/README.md`.

#[path = "../../support/chosen.rs"]
mod chosen;
mod conditions;
mod cuts;
#[path = "../../support/data.rs"]
mod data;
mod engines;
#[path = "../../support/insert.rs"]
mod insert;
mod latency;
#[path = "../../support/load.rs"]
mod load;
mod options;
mod rates;
#[path = "../../support/record.rs"]
mod record;
mod reopen;
mod report;
mod rows;
mod run;
#[path = "../../support/samples.rs"]
mod samples;
mod servers;
#[path = "../../support/usage.rs"]
mod usage;
mod workloads;

use conditions::Record;
use options::{Command, CutsChoice, Options, ServersCommand};
use record::Outcome;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use structopt::StructOpt;

fn main() -> ExitCode {
    let done = match Options::from_args().command {
        Command::Quick(choice) => measure(choice.plan(100_000, 1, 0.3)),
        Command::Full(choice) => measure(choice.plan(1_000_000, 3, 2.0)),
        Command::Tables { record, text } => Record::read(&record)
            .and_then(|record| show(text.as_deref(), report::ENGINES, &report::markdown(&record))),
        Command::Servers(command) => on_servers(command),
        Command::Cuts(choice) => on_cuts(choice),
        Command::CutWriter { engine, dir, next } => {
            options::engine(engine).and_then(|engine| cuts::write(engine, &dir, next))
        }
        Command::CutReader { engine, dir } => {
            options::engine(engine).and_then(|engine| cuts::look(engine, &dir))
        }
        Command::Task { task } => workloads::run(&task),
        Command::Echo { addr } => servers::echo::serve(addr),
        Command::Idle { addr, count } => servers::idle::hold(addr, count),
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
    show(None, report::ENGINES, &report::markdown(&run::run(&plan?)?))
}

fn on_servers(command: ServersCommand) -> Outcome<()> {
    let (record, text) = match command {
        ServersCommand::Quick(choice) => (servers::run::run(choice.plan(1, 0.3)?)?, None),
        ServersCommand::Full(choice) => (servers::run::run(choice.plan(9, 0.5)?)?, None),
        ServersCommand::Tables { record, text } => (Record::read(&record)?, text),
    };
    show(text.as_deref(), report::SERVERS, &servers::report::markdown(&record))
}

fn on_cuts(choice: CutsChoice) -> Outcome<()> {
    let text = choice.text.clone();
    let plan = choice.plan()?;
    let record = match (&text, &plan.json) {
        (Some(_), Some(json)) => Record::read(json)?,
        _ => cuts::run(&plan)?,
    };
    show(text.as_deref(), report::CUTS, &cuts::report::markdown(&record))
}

/// Prints the tables, or puts them into a text.
fn show(text: Option<&Path>, begin: &str, tables: &str) -> Outcome<()> {
    match text {
        None => println!("{tables}"),
        Some(path) => fs::write(path, insert::insert(&fs::read_to_string(path)?, begin, tables)?)?,
    }
    Ok(())
}
