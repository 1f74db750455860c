//! Every stage and `final` side by side in one run, with more and more threads: who becomes faster by
//! them, and who only waits.
//!
//! ```console
//! $ cargo bench --features all-stages --bench scaling             # two minutes, for a look
//! $ cargo bench --features stage-4 --bench scaling                # of one stage
//! $ cargo bench --features all-stages --bench scaling -- read/ mixed/stage-6
//! $ cargo bench --features all-stages --bench scaling -- --full --json benches/results/scaling.json
//! ```
//!
//! A full run is one round, of three minutes or so; repeated with the same file it adds one. `--out DIR` makes
//! three full ones (with `--quick`, two quick ones), and a page in a new directory with all figures, tables and the
//! machine; it leaves out what only the goals ask for.
//!
//! Keys have 16 bytes and values 1 KiB, so that a read goes to the log in every stage (`final` has
//! short values in memory), and there are 10,000, so that all is in the cache of the operating system.
//! The stores are in memory altogether (`/dev/shm`; but for the workloads that end with `-disk`): no stage
//! waits for a disk, not even in a compaction, which syncs what it wrote. So a thread that waits, waits for another thread, and the
//! record says how often. All promise the same: that a write survives the end of the process.
//!
//! Each stage takes its turn in every round, so that a machine that becomes slower does so for all.
//! Every answer is compared. The figures of a sample:
//!
//! - `rate`: operations a second, of all threads or clients;
//! - `p50`, `p99`, `p999`, `longest`: how long an operation took, or the requests that a client sent
//!   at once;
//! - `waits`: how often an operation's thread left the processor to wait for something; for a server,
//!   how often its threads did for a request;
//! - `sets`, `compactions`: what the thread beside those that are measured did in a second;
//! - `cpu`: the time of the server's process for a request; where threads call an engine and none works beside
//!   them, that of the whole process for an operation.

mod bench;
mod workloads;

use bench::Bench;
use kvs_bench_kit::options::{Amount, Options, in_memory};
use kvs_bench_kit::record::{Figures, Machine};
use kvs_bench_kit::{Outcome, Record, Unit, derived, tables};
use kvs_bench_stages::Stage;
use kvs_bench_stages::process::{self, SERVE};
use std::time::Instant;
use tempfile::TempDir;
use workloads::{By, Work};

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [serve, task] if serve == SERVE => process::serve(task),
        _ => run(&Options::parse(args)?),
    }
}

fn run(options: &Options) -> Outcome<()> {
    // The rounds of one store or server differ less than those of two: two short ones tell more than a long one.
    let (keys, seconds, rounds) = match options.amount {
        Amount::Test => (200, 0.001, 1),
        Amount::Quick => (10_000, 0.07, 2),
        Amount::Full => (10_000, 0.25, 1),
    };
    let disk = Machine::here(&std::env::temp_dir())?.file_system;
    let settings = [
        ("keys", keys.into()),
        ("value_bytes", 1024.into()),
        ("seconds", seconds.into()),
        ("disk", disk.into()),
    ];
    let record = Record::new(&in_memory(), settings)?
        .units(Unit::PerSecond, &["rate", "sets", "compactions"])
        .units(Unit::Second, &["p50", "p99", "p999", "longest", "cpu"]);
    let mut record = options.continued(record)?;
    let cores = record.conditions.machine.cores as u32;
    let stages = || Stage::picked(cfg!(feature = "all-stages"), env!("KVS_STAGE"));
    let pairs = Work::ALL.into_iter().flat_map(|work| stages().map(move |stage| (work, stage)));
    let is_wanted = |(work, (stage, name)): &(Work, (Stage, &str))| {
        let is_shown = options.out.is_none() || !work.is_for_goals();
        is_shown
            && !work.threads(*stage, cores).is_empty()
            && options.wants(&format!("{}/{name}", work.name))
    };
    let pairs: Vec<_> = pairs.filter(is_wanted).collect();
    if pairs.is_empty() && (options.out.is_some() || options.json.is_some()) && !options.is_list {
        return Err(
            "nothing has one of these words in its name; --list says which there are".into()
        );
    }
    let page = options.out.as_deref().filter(|_| !options.is_list);
    let page = page.map(derived::directory).transpose()?;
    // A page shows how far the rounds are apart.
    let rounds = if page.is_some() && options.amount == Amount::Full { 3 } else { rounds };
    let (start, all) = (Instant::now(), rounds * pairs.len());
    for (done, &(work, (stage, name))) in pairs.iter().cycle().take(all).enumerate() {
        let of = format!("{}/{name}", work.name);
        let left = start.elapsed().as_secs_f64() * (all - done) as f64 / done as f64;
        let left = if done > 3 { format!(", {left:.0} s left") } else { String::new() };
        eprintln!("{of} ({} of {all}{left})", done + 1);
        let bench = Bench::new(keys, work.value_bytes, seconds);
        let threads = work.threads(stage, cores);
        let measured = match work.by {
            By::Threads => engines(&bench, work, stage, &threads),
            _ => servers(&bench, work, stage, &threads),
        };
        let measured = measured.map_err(|e| format!("{of}: {e}"))?;
        for (threads, figures) in threads.into_iter().zip(measured) {
            record.add(format!("{of}/{threads}"), figures);
        }
        options.keep(&record)?;
    }
    match &page {
        _ if all == 0 => {}
        Some(dir) => {
            derived::page(dir, &record)?;
            println!("{}", dir.join("index.html").display());
        }
        None => println!("{}", tables::scaling(&record)),
    }
    Ok(())
}

/// All on one store: to fill it takes as long as to measure it.
fn engines(bench: &Bench, work: Work, stage: Stage, threads: &[u32]) -> Outcome<Vec<Figures>> {
    let dir = TempDir::new_in(if work.on_disk { std::env::temp_dir() } else { in_memory() })?;
    let mut store = stage.open(dir.path())?;
    bench.fill(&mut *store)?;
    threads.iter().map(|&threads| bench.measure(work, &mut *store, threads as usize)).collect()
}

/// Each on a server of its own.
fn servers(bench: &Bench, work: Work, stage: Stage, threads: &[u32]) -> Outcome<Vec<Figures>> {
    let exchanges = bench.exchanges(work);
    let measure = |&threads| {
        let dir = TempDir::new_in(in_memory())?;
        bench.measure_server(work, stage, threads, dir.path().to_path_buf(), &exchanges)
    };
    threads.iter().map(measure).collect()
}
