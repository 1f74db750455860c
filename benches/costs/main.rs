//! The small prices of concurrent programs, all measured in one run on one machine: a thread, a job
//! in a pool, a hand-over, a channel, a lock, an atomic, a concurrent map, a file, a connection.
//!
//! ```console
//! $ cargo bench --bench costs               # half a minute or so, for a look
//! $ cargo bench --bench costs -- lock map   # only the costs with one of these words in the name
//! $ cargo bench --bench costs -- --full --json benches/results/costs.json
//! $ cargo bench --bench costs -- --tables benches/results/costs.json
//! ```
//!
//! A full run takes two minutes and wants the machine for itself; repeated with the same file it
//! adds rounds. The last command prints what was recorded, and measures nothing.
//!
//! Every price is taken once in each round, so that a machine that becomes slower does so for all
//! of them. A figure in the tables is the median of the rounds, and the least and the most stand
//! behind it. With several threads the time is that from one operation to the next, whichever
//! thread does it: on two cores, two threads that do not disturb each other take half the time of
//! one. What the threads did is checked: no sum, no look-up and no answer may be wrong.
//!
//! The switches are context switches an operation, of all threads of the process: voluntary ones of
//! a thread that has to wait, involuntary ones of a thread whose core is given to another.

mod basics;
mod channels;
mod files;
mod locks;
mod maps;
mod measure;
mod network;
#[path = "../support/options.rs"]
mod options;
mod pools;
#[path = "../support/record.rs"]
mod record;
#[path = "../support/samples.rs"]
mod samples;
mod table;
mod threads;

use basics::Work;
use measure::{Cost, Figures, Variant};
use options::{Options, Size};
use record::{Machine, Outcome};
use serde::{Deserialize, Serialize};
use std::time::Duration;

type Record = record::Record<Conditions, Sample>;

/// What has to be the same for all samples of one record.
#[derive(PartialEq, Serialize, Deserialize)]
struct Conditions {
    #[serde(flatten)]
    machine: Machine,
    /// The pools are stage 5's.
    revision: String,
    /// For one measurement.
    seconds: f64,
}

/// The figures of one variant of one cost in one round.
#[derive(Serialize, Deserialize)]
struct Sample {
    cost: String,
    variant: String,
    threads: usize,
    round: u32,
    #[serde(flatten)]
    figures: Figures,
}

fn main() -> Outcome<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let (rounds, milliseconds) = match options.size {
        Size::Test => (1, 1),
        Size::Quick => (3, 25),
        Size::Full => (5, 100),
    };
    let budget = Duration::from_millis(milliseconds);
    let costs = costs();
    if let Some(path) = &options.tables {
        print!("{}", table::tables(&costs, &Record::read(path)?));
        return Ok(());
    }
    let mut record = Record::new(Conditions {
        machine: Machine::here(&std::env::temp_dir())?,
        revision: record::revision()?,
        seconds: budget.as_secs_f64(),
    })?;
    if let Some(path) = &options.json {
        record = record.continued(path)?;
    }
    let before = record.samples.iter().map(|sample| sample.round).max().unwrap_or(0);
    for round in before + 1..=before + rounds {
        for cost in costs.iter().filter(|cost| options.wants(cost.name)) {
            eprintln!("round {round}: {}", cost.name);
            record.samples.extend(samples(cost, round, budget));
        }
    }
    if record.samples.is_empty() {
        return Ok(());
    }
    if let Some(path) = &options.json {
        record.write(path)?;
    }
    print!("{}", table::tables(&costs, &record));
    Ok(())
}

fn costs() -> Vec<Cost> {
    let work = Work::calibrated();
    let costs = [
        basics::costs(work),
        threads::costs(),
        pools::costs(),
        channels::costs(work),
        locks::costs(work),
        maps::costs(),
        files::costs(),
        network::costs(),
    ];
    costs.into_iter().flatten().collect()
}

fn samples(cost: &Cost, round: u32, budget: Duration) -> Vec<Sample> {
    let sample = |variant: &Variant| {
        let mut figures = (variant.measure)(budget);
        figures.values_mut().for_each(|figure| *figure = rounded(*figure));
        let (cost, variant, threads) = (cost.name, variant.name, variant.threads);
        Sample { cost: cost.to_owned(), variant: variant.to_owned(), threads, round, figures }
    };
    cost.variants.iter().map(sample).collect()
}

/// With four digits: more would be noise, and a longer record.
fn rounded(figure: f64) -> f64 {
    format!("{figure:.3e}").parse().unwrap_or(figure)
}
