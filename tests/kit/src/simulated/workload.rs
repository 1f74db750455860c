//! A script of writes, with what a store must answer after each of them.

use kvs_final::disk::SimulatedDisk;
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine, KvsError, Result, Write};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

/// Where the store is.
pub const DIR: &str = "/store";
/// How many keys there are.
pub const KEYS: usize = 6;
/// So much garbage, in bytes, that in a script a compaction pays now and then.
pub const COMPACT_AT: u64 = 150;

/// What the store should hold.
pub type Model = BTreeMap<String, String>;

/// One step of the script.
#[derive(Clone, Debug)]
pub enum Step {
    /// A set, a batch, or a removal of a key that need not be there.
    Write(Write),
    /// Several that the store is given at once.
    Round(Vec<Write>),
    /// Makes all of it durable.
    Sync,
    /// Compacts all segments.
    Compact,
    /// Compacts those that it pays for.
    CompactIfDue,
    /// Closes the store and opens it again.
    Reopen,
}

impl Step {
    /// What it changes.
    pub fn apply_to(&self, model: &mut Model) {
        match self {
            Step::Write(Write::CompareAndSet { key, expected, .. })
                if model.get(key) != expected.as_ref() => {}
            Step::Write(write) => {
                for (key, value) in write.changes() {
                    match value {
                        Some(value) => drop(model.insert(key.to_owned(), value.to_owned())),
                        None => drop(model.remove(key)),
                    }
                }
            }
            Step::Round(writes) => {
                writes.iter().for_each(|write| Step::Write(write.clone()).apply_to(model));
            }
            Step::Sync | Step::Compact | Step::CompactIfDue | Step::Reopen => {}
        }
    }
}

/// A step that gives a key a value.
pub fn set(key: String, value: impl Into<String>) -> Step {
    Step::Write(Write::Set { key, value: value.into() })
}

/// A key by its number.
pub fn key(number: usize) -> String {
    format!("key{number}")
}

/// Segments of a few records, with hints however short the values, and nothing done behind the test's back.
pub fn options(disk: &SimulatedDisk) -> KvStoreOptions {
    KvStoreOptions::new()
        .durability(Durability::Always)
        .segment_bytes(400)
        .hint_eighths(64)
        .background(false)
        .disk(disk.clone())
}

/// Opens the store at level `always`.
pub fn open(disk: &SimulatedDisk) -> Result<KvStore> {
    options(disk).open(DIR)
}

/// The same at level `os`.
pub fn open_os(disk: &SimulatedDisk) -> Result<KvStore> {
    options(disk).durability(Durability::Os).open(DIR)
}

/// A script of `len` random steps: mostly writes, some removals, compactions and reopens. Values
/// are unique; every third one is too long to be kept in the index, and all others are as long as
/// [`AS_LONG`].
pub fn script(seed: u64, len: usize) -> Vec<Step> {
    let (mut random, mut model) = (StdRng::seed_from_u64(seed), Model::new());
    let step = |number| {
        let step = step(&mut random, number, &model);
        step.apply_to(&mut model);
        step
    };
    (0..len).map(step).collect()
}

/// A value that takes exactly the place of most values of a script.
pub const AS_LONG: &str = "value new";

fn step(random: &mut StdRng, number: usize, model: &Model) -> Step {
    match random.random_range(0..28) {
        0 => Step::Compact,
        1 => Step::CompactIfDue,
        2 => Step::Reopen,
        3 => Step::Sync,
        4 => Step::Round(round(changes(random, number), model.clone())),
        5 => Step::Write(Write::Batch(changes(random, number))),
        _ => Step::Write(write(change(random, number))),
    }
}

fn write((key, value): (String, Option<String>)) -> Write {
    match value {
        Some(value) => Write::Set { key, value },
        None => Write::Remove { key },
    }
}

/// The second and the fourth compare and set. The second finds what it expects, which may be of the first; the fourth
/// doesn't.
fn round(changes: Vec<(String, Option<String>)>, mut model: Model) -> Vec<Write> {
    let write = |(place, (key, new)): (usize, (String, _))| {
        let write = match place {
            1 => Write::CompareAndSet { expected: model.get(&key).cloned(), key, new },
            3 => Write::CompareAndSet { expected: Some("another".to_owned()), key, new },
            _ => write((key, new)),
        };
        Step::Write(write.clone()).apply_to(&mut model);
        write
    };
    changes.into_iter().enumerate().map(write).collect()
}

fn changes(random: &mut StdRng, number: usize) -> Vec<(String, Option<String>)> {
    (0..2 + random.random_range(0..4)).map(|_| change(random, number)).collect()
}

fn change(random: &mut StdRng, number: usize) -> (String, Option<String>) {
    let key = key(random.random_range(0..KEYS));
    let padding = if number.is_multiple_of(3) { " and more than 22 bytes" } else { "" };
    (key, random.random_ratio(4, 5).then(|| format!("value {number:03}{padding}")))
}

/// Runs a step. A removal of a missing key is not an error here, nor a comparison with another value.
pub fn run(step: &Step, store: &mut Option<KvStore>, disk: &SimulatedDisk) -> Result<()> {
    run_with(step, store, || open(disk))
}

/// The same, with another way to open the store.
pub fn run_with(
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
        Step::Write(write) => unless_refused(write.clone().apply_to(store)),
        Step::Round(writes) => {
            let (said, results) = mpsc::channel();
            store.round(writes.iter().map(|write| {
                let said = said.clone();
                (write.clone(), move |result| said.send(result).unwrap())
            }));
            drop(said);
            results.iter().try_for_each(unless_refused)
        }
        Step::Sync => store.sync(),
        Step::Compact => store.compact(),
        Step::CompactIfDue => store.compact_if_due().map(drop),
        Step::Reopen => Ok(()),
    }
}

fn unless_refused(result: Result<()>) -> Result<()> {
    match result {
        Err(KvsError::KeyNotFound | KvsError::Mismatch) => Ok(()),
        result => result,
    }
}

/// What the store holds, if that is exactly what one of the models says.
///
/// # Errors
/// What it holds instead.
pub fn holds(store: &KvStore, models: &[&Model]) -> std::result::Result<Model, String> {
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
    Ok(found)
}

/// Fails unless the store was refused for damage at this place.
pub fn is_damaged<T>(opened: Result<T>, file: &Path, place: usize) {
    match opened {
        Err(KvsError::Damaged { path, offset, .. }) => {
            assert_eq!((&*path, offset), (file, place as u64));
        }
        Err(other) => panic!("{}, byte {place}: {other}", file.display()),
        Ok(_) => panic!("{}, byte {place}: nothing is wrong", file.display()),
    }
}

/// How many files of the store are on the disk, but for the hints beside its segments.
pub fn files(disk: &SimulatedDisk) -> usize {
    let files = disk.files();
    let has_segment = |path: &Path| files.contains(&path.with_extension("seg"));
    let counts = |path: &&PathBuf| path.starts_with(DIR) && !(is_hint(path) && has_segment(path));
    files.iter().filter(counts).count()
}

/// Whether a file of this name is a hint.
pub fn is_hint(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "hint")
}
