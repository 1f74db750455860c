//! Every stage and `final` side by side in one run, with more and more threads: who becomes faster by
//! them, and who only waits.
//!
//! ```console
//! $ cargo bench --features all-stages --bench scaling -- --quick
//! ```
//!
//! Keys have 16 bytes and values 1 KiB, so that a read goes to the log in every stage (`final` has
//! short values in memory), and there are 10,000, so that all is in the cache of the operating system.
//! The stores are in memory altogether (`/dev/shm`): no stage waits for a disk, not even in a
//! compaction, which syncs what it wrote. So a thread that waits, waits for another thread, and the
//! record says how often. All promise the same: that a write survives the end of the process.
//!
//! Each stage takes its turn in every round, so that a machine that becomes slower does so for all. A
//! figure is the median of the rounds. Every answer is compared.

#[path = "../support/chosen.rs"]
mod chosen;
#[path = "../support/data.rs"]
mod data;
mod draw;
mod engine;
#[path = "../support/insert.rs"]
mod insert;
#[path = "../support/load.rs"]
mod load;
mod options;
#[path = "../support/record.rs"]
mod record;
mod sample;
#[path = "../support/samples.rs"]
mod samples;
mod server;
mod stage;
mod stages;
#[path = "../support/style.rs"]
mod style;
mod table;
#[path = "../support/usage.rs"]
mod usage;
mod workloads;

use engine::Bench;
use options::Options;
use record::{Machine, Outcome, Record};
use sample::{Conditions, Figures, Sample, Scaling, rounded};
use stage::Stage;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use structopt::StructOpt;
use tempfile::TempDir;
use workloads::Work;

/// What is to be measured.
struct Plan {
    keys: u64,
    value_bytes: usize,
    rounds: u32,
    seconds: f64,
    works: Vec<Work>,
    stages: Vec<Stage>,
    /// Where the stores are made.
    dir: PathBuf,
    /// Where all samples go, after those that are there.
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().collect();
    let done = match &args[..] {
        [_, serve, task] if serve == server::SERVE => server::serve(task),
        _ => run(Options::from_args()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scaling: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Outcome<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if options.draw {
        let record = Scaling::read(&root.join(sample::RECORD))?;
        fs::create_dir_all(root.join(draw::FIGURES))?;
        for (name, svg) in draw::figures(&record)? {
            fs::write(root.join(draw::FIGURES).join(name), svg)?;
        }
        let (path, tables) = (root.join(table::TEXT), table::summary(&record));
        let text = insert::insert(&fs::read_to_string(&path)?, table::BEGIN, &tables)?;
        return Ok(fs::write(path, text)?);
    }
    println!("{}", table::markdown(&options.plan()?.run()?));
    Ok(())
}

impl Plan {
    /// Measures, and says on stderr what.
    fn run(&self) -> Outcome<Scaling> {
        let mut record = Record::new(Conditions {
            machine: Machine::here(&self.dir)?,
            revision: record::revision()?,
            keys: self.keys,
            value_bytes: self.value_bytes,
            seconds: self.seconds,
        })?;
        if let Some(path) = &self.json {
            record = record.continued(path)?;
        }
        let bench = Bench::new(self.keys, self.value_bytes, self.seconds);
        for round in 1..=self.rounds {
            for &work in &self.works {
                let exchanges = if work.is_served() { bench.exchanges(work) } else { Vec::new() };
                for &stage in &self.stages {
                    let what = format!("{} on {}", work.name(), stage.name());
                    eprintln!("round {round}: {what}");
                    let threads = work.threads(stage, record.conditions.machine.cores as u32);
                    let measured = if work.is_served() {
                        self.servers(&bench, work, stage, &threads, &exchanges)
                    } else {
                        self.engines(&bench, work, stage, &threads)
                    };
                    let measured = measured.map_err(|e| format!("{what}: {e}"))?;
                    for (threads, mut figures) in threads.into_iter().zip(measured) {
                        figures.values_mut().for_each(|figure| *figure = rounded(*figure));
                        record.samples.push(Sample { work, stage, threads, figures });
                    }
                }
                if let Some(path) = &self.json {
                    record.write(path)?;
                }
            }
        }
        Ok(record)
    }

    /// All on one store: to fill it takes as long as to measure it.
    fn engines(
        &self,
        bench: &Bench,
        work: Work,
        stage: Stage,
        threads: &[u32],
    ) -> Outcome<Vec<Figures>> {
        let dir = TempDir::new_in(&self.dir)?;
        let mut store = stage.open(dir.path())?;
        bench.fill(&mut *store)?;
        threads.iter().map(|&threads| bench.measure(work, &mut *store, threads)).collect()
    }

    /// Each on a server of its own.
    fn servers(
        &self,
        bench: &Bench,
        work: Work,
        stage: Stage,
        threads: &[u32],
        exchanges: &[load::Exchange],
    ) -> Outcome<Vec<Figures>> {
        let measure = |&threads| {
            let dir = TempDir::new_in(&self.dir)?;
            bench.measure_server(work, stage, threads, dir.path().to_path_buf(), exchanges)
        };
        threads.iter().map(measure).collect()
    }
}
