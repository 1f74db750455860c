//! A script of writes, with what a store must answer after each of them.

use crate::disk::{CrashRng, SimulatedDisk};
use crate::{Durability, KvStore, KvStoreOptions, KvsEngine, Result};
use std::collections::BTreeMap;
use std::path::Path;

pub(super) const DIR: &str = "/store";
pub(super) const KEYS: usize = 6;

/// What the store should hold.
pub(super) type Model = BTreeMap<String, String>;

/// One step of the script.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Set(String, String),
    Remove(String),
    Compact,
    Reopen,
}

impl Step {
    pub(super) fn apply_to(&self, model: &mut Model) {
        match self {
            Step::Set(key, value) => drop(model.insert(key.clone(), value.clone())),
            Step::Remove(key) => drop(model.remove(key)),
            Step::Compact | Step::Reopen => {}
        }
    }
}

pub(super) fn key(number: usize) -> String {
    format!("key{number}")
}

/// Segments of a few records, and nothing done behind the test's back.
pub(super) fn options(disk: &SimulatedDisk) -> KvStoreOptions {
    KvStoreOptions::new()
        .durability(Durability::Always)
        .segment_bytes(400)
        .background(false)
        .disk(disk.clone())
}

pub(super) fn open(disk: &SimulatedDisk) -> Result<KvStore> {
    options(disk).open(DIR)
}

/// The same at level `os`.
pub(super) fn open_os(disk: &SimulatedDisk) -> Result<KvStore> {
    options(disk).durability(Durability::Os).open(DIR)
}

/// A script of `len` random steps: mostly writes, some removals, compactions and reopens. Values
/// are unique; every third one is too long to be kept in the index.
pub(super) fn script(seed: u64, len: usize) -> Vec<Step> {
    let mut random = CrashRng(seed);
    let mut steps = Vec::with_capacity(len);
    for number in 0..len {
        let key = key(random.below(KEYS));
        let padding = if number % 3 == 0 { "and more than 22 bytes" } else { "" };
        steps.push(match random.below(24) {
            0 => Step::Compact,
            1 => Step::Reopen,
            2..=6 => Step::Remove(key),
            _ => Step::Set(key, format!("value {number} {padding}")),
        });
    }
    steps
}

/// Runs a step. A removal of a missing key is not an error here.
pub(super) fn run(step: &Step, store: &mut Option<KvStore>, disk: &SimulatedDisk) -> Result<()> {
    run_with(step, store, || open(disk))
}

/// The same, with another way to open the store.
pub(super) fn run_with(
    step: &Step,
    store: &mut Option<KvStore>,
    open: impl Fn() -> Result<KvStore>,
) -> Result<()> {
    if matches!(step, Step::Reopen) {
        *store = None;
    }
    let Some(store) = store else {
        *store = Some(open()?);
        return Ok(());
    };
    match step {
        Step::Set(key, value) => store.set(key.clone(), value.clone()),
        Step::Remove(key) => match store.remove(key.clone()) {
            Err(crate::KvsError::KeyNotFound) => Ok(()),
            result => result,
        },
        Step::Compact => store.compact(),
        Step::Reopen => Ok(()),
    }
}

/// Whether the store holds exactly what one of the models says.
pub(super) fn holds(store: &KvStore, models: &[&Model]) -> std::result::Result<(), String> {
    let mut found = Model::new();
    for number in 0..KEYS {
        match store.get(key(number)) {
            Ok(Some(value)) => drop(found.insert(key(number), value)),
            Ok(None) => {}
            Err(error) => return Err(format!("get {}: {error}", key(number))),
        }
    }
    if store.stats().keys != found.len() as u64 {
        return Err(format!("{} keys, but {found:?}", store.stats().keys));
    }
    if !models.contains(&&found) {
        return Err(format!("found {found:?}, expected one of {models:?}"));
    }
    Ok(())
}

/// How many files of the store are on the disk.
pub(super) fn files(disk: &SimulatedDisk) -> usize {
    disk.files().iter().filter(|path| path.starts_with(Path::new(DIR))).count()
}
