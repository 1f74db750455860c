//! The counts that say why a stage scales or does not: system calls, calls of `futex`, and context
//! switches, an operation, of every stage and `final`.
//!
//! ```console
//! $ cargo bench --features all-stages --bench counts             # half a minute
//! $ cargo bench --features all-stages --bench counts -- final    # of that stage only
//! $ cargo bench --features all-stages --bench counts -- --full --json benches/results/counts.json
//! $ cargo bench --features all-stages --bench counts -- --tables benches/results/counts.json
//! $ cargo bench --features all-stages --bench counts -- --tables benches/results/counts.json benches/README.md
//! ```
//!
//! Four threads (one in stage 1, whose store cannot be shared) get, set, or do 95 gets and 5 sets
//! of 100. The stores are in memory (`/dev/shm`, where there is one), the values have 1 KiB, and
//! there are fewer sets than lead to a compaction. What is counted is a process of its own. It is
//! run once more without an operation, and what is counted then, for the start and the filling of
//! the store, is taken off. A full run is one round, of a minute or so; repeated with the same file
//! it adds one.
//!
//! `strace` counts every system call by its name, but stops the program at each, so that its
//! threads meet one another in other places than they do without it. `perf` counts in the kernel
//! and disturbs little; so how often threads wait is told by `perf`. What this machine does not
//! have is left out, and a line says so.

#[path = "../support/data.rs"]
#[allow(dead_code)] // others use the rest
mod data;
#[path = "../support/insert.rs"]
mod insert;
#[path = "../support/options.rs"]
mod options;
#[path = "../support/record.rs"]
mod record;
mod sample;
#[path = "../support/samples.rs"]
mod samples;
#[path = "../scaling/stage.rs"]
mod stage;
#[path = "../scaling/stages.rs"]
#[allow(dead_code)] // the servers
mod stages;
mod table;
mod tools;
mod work;

use options::{Options, Size};
use record::{Machine, Outcome};
use sample::{Amount, Conditions, Counts, Record, Sample, Tool, Work};
use stage::Stage;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tempfile::TempDir;
use work::Task;

const VALUE_BYTES: usize = 1024;

/// The first argument of the process that is counted.
const WORK: &str = "--work";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let done = match &args[..] {
        [work, task] if work == WORK => work::run(task),
        _ => Options::parse(args).map_err(Into::into).and_then(|options| count(&options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("counts: {error}");
            ExitCode::FAILURE
        }
    }
}

fn count(options: &Options) -> Outcome<()> {
    if let Some(path) = &options.tables {
        let tables = table::tables(&Record::read(path)?);
        let Some(text) = options.words.first() else {
            print!("{tables}");
            return Ok(());
        };
        let with_tables = insert::insert(&fs::read_to_string(text)?, table::BEGIN, &tables)?;
        return Ok(fs::write(text, with_tables)?);
    }
    let tools = Tool::ALL.into_iter().filter_map(|tool| Some((tool, tool.events()?)));
    let tools: Vec<_> = tools.collect();
    if tools.is_empty() {
        return nothing(options);
    }
    let amount = |keys, operations| Amount { keys, operations };
    let [perf, strace] = match options.size {
        Size::Test => [amount(200, 100), amount(200, 100)],
        Size::Quick => [amount(20_000, 16_000), amount(2_000, 1_600)],
        Size::Full => [amount(100_000, 80_000), amount(5_000, 4_000)],
    };
    let mut record = Record::new(Conditions {
        machine: Machine::here(&stores())?,
        revision: record::revision()?,
        value_bytes: VALUE_BYTES,
        amounts: [(Tool::Perf, perf), (Tool::Strace, strace)].into(),
    })?;
    if let Some(path) = &options.json {
        record = record.continued(path)?;
    }
    let round = record.samples.iter().map(|sample| sample.round).max().unwrap_or(0) + 1;
    for stage in Stage::ALL.into_iter().filter(|stage| options.wants(stage.name())) {
        eprintln!("round {round}: {}", stage.name());
        for (tool, events) in &tools {
            let amount = record.conditions.amounts[tool];
            record.samples.extend(samples(stage, *tool, events, amount, round)?);
        }
    }
    if let Some(path) = &options.json {
        record.write(path)?;
    }
    print!("{}", table::tables(&record));
    Ok(())
}

/// What is done where neither tool can be used.
///
/// # Errors
/// If a record was asked for.
fn nothing(options: &Options) -> Outcome<()> {
    let words = "nothing is counted: neither perf nor strace can be used here";
    match options.json {
        Some(_) => Err(words.into()),
        None => {
            println!("{words}");
            Ok(())
        }
    }
}

/// Counts all workloads of a stage with one tool.
fn samples(
    stage: Stage,
    tool: Tool,
    events: &[String],
    amount: Amount,
    round: u32,
) -> Outcome<Vec<Sample>> {
    let threads = if stage == Stage::NaivePool { 1 } else { 4 };
    let count = |work, operations| -> Outcome<Counts> {
        let dir = TempDir::new_in(stores())?;
        let task = Task {
            stage,
            work,
            threads,
            keys: amount.keys,
            operations,
            dir: dir.path().to_path_buf(),
        };
        tool.count(events, &[WORK.to_owned(), serde_json::to_string(&task)?])
    };
    let before = count(Work::Read, 0)?;
    let sample = |work| {
        let mut counts = count(work, amount.operations)?;
        for (event, count) in &mut counts {
            let more = *count - before.get(event).unwrap_or(&0.0);
            *count = rounded(more.max(0.0) / amount.operations as f64);
        }
        Ok(Sample { stage, work, threads, tool, round, counts })
    };
    Work::ALL.into_iter().map(sample).collect()
}

/// Four digits. Less than one in ten thousand operations is not theirs: the start of the process is
/// not the same every time.
fn rounded(count: f64) -> f64 {
    if count < 1e-4 { 0.0 } else { format!("{count:.3e}").parse().unwrap_or(count) }
}

/// Where the stores are made.
fn stores() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_path_buf() } else { env::temp_dir() }
}
