//! The counts that say why a stage scales or does not: system calls, calls of `futex`, and context
//! switches, an operation, of every stage and `final`.
//!
//! ```console
//! $ cargo bench --features all-stages --bench counts             # half a minute
//! $ cargo bench --features all-stages --bench counts -- final    # of that stage only
//! $ cargo bench --features all-stages --bench counts -- --full --json benches/results/counts.json
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

mod tools;
mod work;

use kvs_bench_kit::options::{Amount, Options, in_memory};
use kvs_bench_kit::{Outcome, Record, tables};
use kvs_bench_stages::Stage;
use serde_json::json;
use tempfile::TempDir;
use tools::Tool;
use work::{Task, VALUE_BYTES};

/// What the threads do, and how many of 100 operations are sets.
const WORKS: [(&str, u64); 3] = [("read", 0), ("write", 100), ("mixed", 5)];

/// The first argument of the process that is counted.
const WORK: &str = "--work";

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [work, task] if work == WORK => work::run(task),
        _ => count(&Options::parse(args)?),
    }
}

fn count(options: &Options) -> Outcome<()> {
    // How many keys and operations for each tool, since with `strace` everything takes longer.
    let [perf, strace] = match options.amount {
        Amount::Test => [(200, 100), (200, 100)],
        Amount::Quick => [(20_000, 16_000), (2_000, 1_600)],
        Amount::Full => [(100_000, 80_000), (5_000, 4_000)],
    };
    let tools = [(Tool::perf(), perf), (Tool::strace(), strace)];
    if tools.iter().all(|(tool, _)| tool.is_none()) {
        println!("nothing is counted: neither perf nor strace can be used here");
        return Ok(());
    }
    let amount = |(keys, operations): (u64, u64)| json!({ "keys": keys, "operations": operations });
    let amounts = json!({ "perf": amount(perf), "strace": amount(strace) });
    let settings = [("value_bytes", VALUE_BYTES.into()), ("amounts", amounts)];
    let mut record = options.continued(Record::new(&in_memory(), settings)?)?;
    let stages = Stage::picked(cfg!(feature = "all-stages"), env!("KVS_STAGE"));
    for (stage, name) in stages.filter(|(_, name)| options.wants(&format!("counts/{name}"))) {
        eprintln!("{name}");
        for (tool, amount) in &tools {
            if let Some(tool) = tool {
                add(&mut record, tool, stage, name, *amount)?;
            }
        }
    }
    options.keep(&record)?;
    if !options.is_list {
        print!("{}", tables::counts(&record));
    }
    Ok(())
}

/// Counts all workloads of a stage with one tool.
fn add(
    record: &mut Record,
    tool: &Tool,
    stage: Stage,
    name: &str,
    (keys, operations): (u64, u64),
) -> Outcome<()> {
    let threads = if stage == Stage::NaivePool { 1 } else { 4 };
    let count = |sets, operations| {
        let dir = TempDir::new_in(in_memory())?;
        let dir = dir.path().to_path_buf();
        let task = Task { stage, sets, threads, keys, operations, dir };
        tool.count(&[WORK, &serde_json::to_string(&task)?])
    };
    let before = count(0, 0)?;
    for (work, sets) in WORKS {
        let mut counts = count(sets, operations)?;
        for (event, count) in &mut counts {
            let more = *count - before.get(event).unwrap_or(&0.0);
            *count = more.max(0.0) / operations as f64;
            // Less than one in ten thousand operations is not theirs: the start of the process is not
            // the same every time.
            if *count < 1e-4 {
                *count = 0.0;
            }
        }
        counts.insert("threads".to_owned(), threads as f64);
        record.add(format!("{work}/{name}/{}", tool.name), counts);
    }
    Ok(())
}
