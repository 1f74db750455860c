//! What is there after a process was killed: how long an open takes, what is lost, and how much
//! memory it takes to have the store open.

use crate::Outcome;
use crate::data::{Key, Values};
use crate::engines::{Engine, Level};
use crate::workloads::Figures;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// Opens what a killed process left after it had set all keys, and looks for every one.
pub(crate) fn reopen(engine: Engine, keys: u64, dir: &Path) -> Outcome<Figures> {
    let values = Values::new(16);
    let before = Memory::now()?;
    let start = Instant::now();
    let store = engine.open(Level::Unsynced, dir)?;
    let time = start.elapsed().as_secs_f64() * 1000.0;
    let opened = Memory::now()?;
    let mut lost = 0u64;
    for number in 0..keys {
        match store.get(Key::new(number).as_str())? {
            None => lost += 1,
            Some(value) => values.check(number, &value)?,
        }
    }
    let read = Memory::now()?;
    let per_key = |now: f64, before: f64| (now - before).max(0.0) / keys as f64;
    Ok([
        ("open".to_owned(), time),
        ("lost".to_owned(), lost as f64),
        ("private, opened".to_owned(), per_key(opened.private, before.private)),
        ("private, read".to_owned(), per_key(read.private, before.private)),
        ("mapped, read".to_owned(), per_key(read.mapped, before.mapped)),
    ]
    .into())
}

/// The memory that this process has, in bytes.
struct Memory {
    /// Nobody else's.
    private: f64,
    /// Pages of files, which the system can take back.
    mapped: f64,
}

impl Memory {
    /// From `/proc/self/status`: the counters of `statm`, without its need for the size of a page.
    fn now() -> Outcome<Memory> {
        let status = fs::read_to_string("/proc/self/status")?;
        let bytes = |name: &str| -> Outcome<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
            let number = number.ok_or_else(|| format!("/proc/self/status has no {name}"))?;
            Ok(number.parse::<f64>()? * 1024.0)
        };
        Ok(Memory { private: bytes("RssAnon:")?, mapped: bytes("RssFile:")? })
    }
}
