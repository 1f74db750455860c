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
#[path = "../../tests/support/code.rs"]
mod code;
mod files;
mod locks;
mod maps;
mod measure;
mod network;
mod options;
mod pools;
#[path = "../support/record.rs"]
#[allow(unused_imports)] // of its tests, which are not run here
mod record;
#[path = "../support/samples.rs"]
mod samples;
#[path = "../support/sources.rs"]
mod sources;
mod table;
mod threads;

use basics::Work;
use measure::{Cost, Figures};
use options::Options;
use record::{Machine, Outcome};
use serde::{Deserialize, Serialize};
use sources::Source;
use std::collections::BTreeMap;

type Record = record::Record<Conditions, Sample>;

/// What has to be the same for all samples of one record.
#[derive(PartialEq, Serialize, Deserialize)]
struct Conditions {
    #[serde(flatten)]
    machine: Machine,
    /// The pools are stage 5's.
    sources: BTreeMap<String, Source>,
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
    let costs = costs();
    if let Some(path) = &options.tables {
        print!("{}", table::tables(&costs, &Record::read(path)?));
        return Ok(());
    }
    let mut record = Record::new(Conditions {
        machine: Machine::here(&std::env::temp_dir())?,
        sources: sources::measured(&["stage-5"])?,
        seconds: options.budget.as_secs_f64(),
    })?;
    if let Some(path) = &options.json {
        record = record.continued(path)?;
    }
    measure(&costs, &options, &mut record.samples);
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

/// Measures what the options ask for, after the rounds that there are, and says on stderr how far
/// it is.
fn measure(costs: &[Cost], options: &Options, samples: &mut Vec<Sample>) {
    let before = samples.iter().map(|sample| sample.round).max().unwrap_or(0);
    for round in before + 1..=before + options.rounds {
        for cost in costs.iter().filter(|cost| options.wants(cost.name)) {
            eprintln!("round {round}: {}", cost.name);
            for variant in &cost.variants {
                samples.push(Sample {
                    cost: cost.name.to_owned(),
                    variant: variant.name.to_owned(),
                    threads: variant.threads,
                    round,
                    figures: (variant.measure)(options.budget),
                });
            }
        }
    }
}
