//! Power cuts: what is left of the writes that each engine acknowledged at its synced setting.
//!
//! The store is on a file system of its own, which is shut down while a process writes to the store
//! (see `power`). Then the process is killed, the file system mounted again, and another process opens
//! the store and looks. What was acknowledged is what the writing process had said so by then.

#[path = "../../../../final/tests/support/power.rs"]
mod power;
pub(crate) mod report;
mod writes;

use crate::Outcome;
use crate::conditions::{Conditions, Record};
use crate::engines::{Engine, Level};

use power::Powered;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use writes::{Writer, found};
pub(crate) use writes::{look, write};

/// What is to be done.
pub(crate) struct Plan {
    pub(crate) cuts: u64,
    pub(crate) engines: Vec<Engine>,
    pub(crate) file_systems: Vec<String>,
    pub(crate) json: Option<PathBuf>,
}

/// What came of the cuts on one engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) engine: Engine,
    pub(crate) file_system: String,
    pub(crate) cuts: u64,
    pub(crate) acknowledged: u64,
    /// Of the acknowledged writes those that are not there, nor later ones of the same key. Where the
    /// store did not open, that is not known.
    pub(crate) lost: u64,
    /// Cuts after which the store did not open.
    pub(crate) unopened: u64,
}

/// Those that have a synced setting, and sled's own way, which is none.
pub(crate) const ENGINES: &[Engine] =
    &[Engine::Kvs, Engine::Sled, Engine::SledFlush, Engine::Redb, Engine::Fjall, Engine::Lmdb];

/// At which level an engine is asked for its most.
fn level(engine: Engine) -> Level {
    if engine.promise(Level::Synced).is_some() { Level::Synced } else { Level::Unsynced }
}

pub(crate) fn run(plan: &Plan) -> Outcome<Record<Sample>> {
    let mut record = Record::new(Conditions::here(writes::KEYS, 0.0, BTreeMap::new())?)?;
    for file_system in &plan.file_systems {
        let powered = Powered::new(file_system)?;
        for &engine in &plan.engines {
            eprintln!("{} on {file_system}", engine.name());
            record.samples.push(cut(&powered, file_system, engine, plan.cuts)?);
            if let Some(path) = &plan.json {
                record.write(path)?;
            }
        }
    }
    Ok(record)
}

fn cut(powered: &Powered, file_system: &str, engine: Engine, cuts: u64) -> Outcome<Sample> {
    let dir = powered.dir().join(engine.name());
    let (mut acknowledged, mut lost, mut unopened) = (0, 0, 0);
    // The newest acknowledged number of each key of the store that is there now.
    let mut newest: BTreeMap<u64, u64> = BTreeMap::new();
    let mut next = writes::KEYS;
    for number in 0..cuts {
        fs::create_dir_all(&dir)?;
        let switch = powered.switch()?;
        let mut writer = Writer::start(engine, &dir, next)?;
        // Another moment each time; some writes later in any case.
        writer.wait_for(20)?;
        thread::sleep(Duration::from_micros(number * 7919 % 20_000));
        let before = writer.acknowledged();
        switch.cut()?;
        next = writer.stop()?;
        acknowledged += before.len() as u64;
        newest.extend(before.iter().map(|number| (number % writes::KEYS, *number)));
        powered.restore()?;
        match found(engine, &dir)? {
            Some(found) => {
                for (key, number) in &newest {
                    let found = found.get(key).copied().unwrap_or_default();
                    let gone =
                        |written: &&u64| *written % writes::KEYS == *key && **written > found;
                    if found < *number {
                        lost += before.iter().filter(gone).count().max(1) as u64;
                    }
                }
                newest = found;
            }
            None => {
                unopened += 1;
                newest.clear();
                remove(&dir)?;
            }
        }
    }
    remove(&dir)?;
    let file_system = file_system.to_owned();
    Ok(Sample { engine, file_system, cuts, acknowledged, lost, unopened })
}

fn remove(dir: &Path) -> Outcome<()> {
    fs::remove_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()).into())
}
