//! Keeps what Criterion has found.

use crate::clients::{AT_ONCE, CLIENTS};
use crate::insert::insert;
use crate::record::{self, Machine, Outcome};
use crate::servers;
use crate::table::{self, BENCHES, Conditions, Connection, NULL, Record, Sample};
use serde_json::Value;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Measures. If the environment asks for it, the estimates become a round of the record, and the
/// table in the text is made again.
///
/// # Errors
/// If the record was taken under other conditions, or not everything was measured.
pub fn kept_if_asked(measure: impl FnOnce()) -> Outcome<()> {
    if env::var("KVS_QUEUED").as_deref() != Ok("keep") {
        measure();
        return Ok(());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (path, text) = (root.join(table::RECORD), root.join(table::TEXT));
    let mut record = Record::new(Conditions {
        machine: Machine::here(&env::temp_dir())?,
        revision: record::revision()?,
        clients: CLIENTS,
        at_once: AT_ONCE,
    })?
    .continued(&path)?;
    let start = SystemTime::now();
    measure();
    let round = record.samples.iter().map(|sample| sample.round).max().unwrap_or(0) + 1;
    record.samples.extend(samples(round, start)?);
    record.write(&path)?;
    let with_tables = insert(&fs::read_to_string(&text)?, table::BEGIN, &table::table(&record))?;
    Ok(fs::write(text, with_tables)?)
}

fn samples(round: u32, start: SystemTime) -> Outcome<Vec<Sample>> {
    let sample = |bench: &str, threads, connection, place: &Path| -> Outcome<Sample> {
        let seconds = estimate(&estimates()?.join(bench).join(place), start)?;
        Ok(Sample { bench: bench.to_owned(), threads, connection, round, seconds })
    };
    let mut samples = vec![sample(NULL, 0, Connection::None, Path::new("clients"))?];
    for bench in BENCHES {
        for threads in servers::threads() {
            let each = Path::new("connects").join(threads.to_string());
            samples.push(sample(bench, threads, Connection::Each, &each)?);
            let kept = Path::new("keeps").join(threads.to_string());
            samples.push(sample(bench, threads, Connection::Kept, &kept)?);
        }
    }
    Ok(samples)
}

/// Where Criterion puts what it finds: beside the directory of the profile that this program is in.
fn estimates() -> Outcome<PathBuf> {
    let program = env::current_exe()?;
    let target = program.ancestors().nth(3).ok_or("this program is in no target directory")?;
    Ok(target.join("criterion"))
}

/// The seconds an iteration takes, as Criterion prints them: by the slope over the number of
/// iterations if it has varied that number, by the mean otherwise.
///
/// # Errors
/// If it is from before `start`: then a part was left out this time.
fn estimate(place: &Path, start: SystemTime) -> Outcome<f64> {
    let path = place.join("new/estimates.json");
    let words = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    if fs::metadata(&path).and_then(|file| file.modified()).map_err(|e| words(&e))? < start {
        return Err(words(&"is of another run; a record is kept of all six").into());
    }
    let estimates: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
    let nanoseconds =
        ["slope", "mean"].iter().find_map(|e| estimates[e]["point_estimate"].as_f64());
    let seconds = nanoseconds.ok_or_else(|| words(&"has no estimate"))? / 1e9;
    // With four digits: more would be noise.
    Ok(format!("{seconds:.3e}").parse()?)
}
