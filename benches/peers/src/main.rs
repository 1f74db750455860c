//! `final`'s storage engine and its server beside their peers: who is how fast, and at which promise.
//!
//! ```console
//! $ cargo run --release --manifest-path benches/peers/Cargo.toml -- engines
//! $ cargo run --release --manifest-path benches/peers/Cargo.toml -- servers --full --json FILE get16
//! ```
//!
//! This is one round: each workload on each engine, or server. A word picks what has it in its name, as
//! `get16`, `redis` or `load/kvs`; a file that is there already gets another round. The workloads are in
//! the tables [`workloads::WORKLOADS`] and [`servers::WORKLOADS`].
//!
//! Each runs in a process of its own, in a directory of its own, which `TMPDIR` places; engines and servers take
//! turns, and may use two cores. Keys have 16 bytes, values 16, or 1 KiB that doesn't compress; keys are set and got in
//! no order, and every answer is compared in full: one that is missing or wrong ends the run. Take no ratio below 1.2 for
//! a difference, and compare within one run.

mod engines;
mod servers;
mod workloads;

use kvs_bench_kit::options::{Amount, Options};
use kvs_bench_kit::{Outcome, Record, Unit, peers};
use rustix::fs::{Advice, fadvise};
use std::fs::{File, read_dir};
use std::path::Path;
use std::process::ExitCode;
use std::{env, io};

/// This program is also most of the processes that it measures. Its name tells it which one it is.
fn main() -> Outcome<ExitCode> {
    let args: Vec<String> = env::args().collect();
    match args[0].as_str() {
        "kvs-server" => return Ok(kvs_final::cli::server()),
        "engine" => workloads::run_here(&args[1..])?,
        _ => measure(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes the files of a directory out of memory, but for what a process has mapped.
fn evict(dir: &Path) -> io::Result<()> {
    for entry in read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            evict(&path)?;
        } else {
            let file = File::open(path)?;
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}

fn measure(args: Vec<String>) -> Outcome<()> {
    // To the benches' options, what isn't `--bench` is a test; this is a bench unless it is `--test`.
    let options = Options::parse(args.into_iter().skip(1).chain(["--bench".to_owned()]))?;
    let is_engines = match options.words.first().map(String::as_str) {
        Some("engines") => true,
        Some("servers") => false,
        _ => return Err("peers engines|servers [--quick | --full] [--json FILE] [WORD]…".into()),
    };
    let (keys, seconds) = match options.amount {
        Amount::Test => (1_000, 0.05),
        Amount::Quick => (100_000, 0.3),
        Amount::Full => (1_000_000, 1.0),
    };
    let keys = if is_engines { keys } else { 1_000 };
    let (pairs, programs) = if is_engines { workloads::pairs() } else { servers::pairs() };
    let run = if is_engines { workloads::run } else { servers::run };

    let settings = [("keys", keys.into()), ("seconds", seconds.into()), ("programs", programs)];
    let record = Record::new(&env::temp_dir(), settings)?
        .units(Unit::PerSecond, &["rate", "load", "gets", "sets"])
        .units(Unit::PerSecond, &["1-threads", "4-threads", "8-threads", "64-threads"])
        .units(Unit::PerSecond, &["5-set-4-threads", "50-set-2-threads", "50-set-4-threads"])
        .units(Unit::Second, &["open", "cpu", "p50", "p99", "p999"])
        .units(
            Unit::Byte,
            &["disk", "private-opened", "private-read", "mapped-read", "client-bytes"],
        );
    let mut record = options.continued(record)?;
    for (work, who) in pairs {
        let of = format!("{work}/{who}");
        if !options.words[1..].iter().all(|word| of.contains(word.as_str())) {
            continue;
        }
        eprintln!("{of}");
        let figures = run(work, who, keys, seconds).map_err(|error| format!("{of}: {error}"))?;
        record.add(of, figures);
        options.keep(&record)?;
    }
    println!("{}", peers::all(&record));
    Ok(())
}

/// Workloads and who does them, and the versions of those programs that aren't built with this one.
type Pairs = (Vec<(&'static str, &'static str)>, serde_json::Value);
