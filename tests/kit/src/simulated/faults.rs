//! Every error at every place, once and for ever; and a directory that somebody else moves, deletes or
//! replaces, before every operation of the disk.

use crate::expected::Expected;
use crate::simulated::workload::{DIR, KEYS, Step, key, open, options, run, script};
use kvs_final::disk::{Fault, SimulatedDisk};
use kvs_final::{KvsEngine, Result, Write};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::slice;

/// Notes the writes of a step. If one of a round failed, each of the others may have; and what a comparison finds
/// depends on those that have.
fn note(step: &Step, acknowledged: bool, expected: &mut Expected) {
    let writes = match step {
        Step::Write(write) => slice::from_ref(write),
        Step::Round(writes) => writes,
        _ => &[],
    };
    for write in writes {
        let is_done = acknowledged && !matches!(write, Write::CompareAndSet { .. });
        for (key, value) in write.changes() {
            expected.note(key, value.map(str::to_owned), is_done);
        }
    }
}

/// Runs the script with a fault and checks every answer, taking for done what `is_done` takes for it.
/// Returns whether the fault was met.
fn run_with(fault: Fault, steps: &[Step], is_done: fn(&Result<()>) -> bool) -> bool {
    let disk = SimulatedDisk::new();
    disk.set_fault(Some(fault));
    let mut expected = Expected::default();
    let mut store = open(&disk).ok();
    for step in steps {
        // With a store that did not open, the step is only another attempt to open it.
        let is_open = store.is_some();
        let result = run(step, &mut store, &disk);
        if is_open {
            note(step, is_done(&result), &mut expected);
        }
        if let Some(store) = &store {
            for number in 0..KEYS {
                // A read may fail, but not lie.
                if let Ok(found) = store.get(key(number)) {
                    assert!(expected.allows(&key(number), &found), "{fault:?}: {found:?}");
                }
            }
        }
    }
    drop(store);
    let met = disk.operations() > fault.at;
    disk.set_fault(None);
    let store = open(&disk).unwrap();
    let checked = expected.check(|key| store.get(key));
    checked.unwrap_or_else(|error| panic!("{fault:?}, after it was opened again: {error}"));
    met
}

/// Every kind of error at every place of a script of this seed and so many steps. Panics at an answer that is wrong.
/// Returns how many runs there were.
pub fn everywhere(seed: u64, steps: usize, is_done: fn(&Result<()>) -> bool) -> usize {
    let steps = script(seed, steps);
    let mut runs = 0;
    for error in [ErrorKind::Other, ErrorKind::StorageFull] {
        for (forever, short_write) in [(false, false), (false, true), (true, false), (true, true)] {
            let fault = |at| Fault { at, forever, error, short_write };
            runs += (0..).take_while(|at| run_with(fault(*at), &steps, is_done)).count();
        }
    }
    runs
}

/// Where a directory is moved to.
const MOVED: &str = "/moved";
/// Another store, and what takes the directory's name is a copy of it.
const BACKUP: &str = "/backup";

/// What becomes of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Moved,
    Deleted,
    MarkerRemoved,
    MarkerReplaced,
}

impl Fate {
    fn come(self, disk: &SimulatedDisk, restore: bool) {
        match self {
            Fate::Moved => disk.move_dir(Path::new(DIR), Path::new(MOVED)),
            Fate::Deleted => disk.delete_dir(Path::new(DIR)),
            Fate::MarkerRemoved => return disk.set_marker(Path::new(DIR), None),
            Fate::MarkerReplaced => return disk.set_marker(Path::new(DIR), Some(1)),
        }
        if restore {
            disk.copy_dir(Path::new(BACKUP), Path::new(DIR));
        }
    }
}

/// The names in a directory, with what is in the files.
fn content(disk: &SimulatedDisk, dir: &str) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let files = disk.files().into_iter().filter(|path| path.starts_with(dir));
    let content = |path: PathBuf| (path.file_name().unwrap().into(), disk.content(&path));
    files.map(content).collect()
}

/// Runs the script at level `always`, lets it come before the operation of this number, and looks at
/// what is there after a power loss at the end. Returns whether there was such an operation.
fn run_with_fate(
    fate: Fate,
    restore: bool,
    at: usize,
    steps: &[Step],
) -> std::result::Result<bool, String> {
    let disk = SimulatedDisk::new();
    options(&disk).open(BACKUP).unwrap().set("key0".into(), "of the backup".into()).unwrap();
    let mut store = Some(open(&disk).unwrap());
    let at = disk.operations() + at;
    let same = disk.clone();
    disk.before_operation(at, move || fate.come(&same, restore));
    let mut expected = Expected::default();
    for step in steps {
        let is_over = disk.operations() > at;
        let result = run(step, &mut store, &disk);
        note(step, result.is_ok(), &mut expected);
        match (fate, result) {
            (Fate::Moved | Fate::MarkerRemoved, Err(error)) => {
                return Err(format!("{step:?}: {error}"));
            }
            // What is there already need not be removed.
            (Fate::Deleted, Ok(()))
                if is_over && matches!(step, Step::Write(Write::Set { .. })) =>
            {
                return Err(format!("{step:?}: acknowledged, and gone"));
            }
            _ => {}
        }
    }
    drop(store);
    let has_come = disk.operations() > at;
    let was_restored = restore && matches!(fate, Fate::Moved | Fate::Deleted);
    if has_come && was_restored && content(&disk, DIR) != content(&disk, BACKUP) {
        return Err("it has written to the directory of another".to_owned());
    }
    let dir = match fate {
        Fate::Deleted => return Ok(has_come),
        Fate::Moved if has_come => MOVED,
        _ => DIR,
    };
    let random = &mut StdRng::seed_from_u64(at as u64);
    let disk = disk.after_power_loss(disk.changes(), random);
    let store = options(&disk).open(dir).map_err(|error| error.to_string())?;
    expected.check(|key| store.get(key))?;
    Ok(has_come)
}

/// Each fate before every operation of a script of this seed and so many steps. Returns how many runs
/// there were.
///
/// # Errors
/// Which store has lost what it had acknowledged, or written to another's directory.
pub fn fates_everywhere(seed: u64, steps: usize) -> std::result::Result<usize, String> {
    let mut steps = script(seed, steps);
    steps.retain(|step| !matches!(step, Step::Reopen));
    let mut runs = 0;
    for fate in [Fate::Moved, Fate::Deleted, Fate::MarkerRemoved, Fate::MarkerReplaced] {
        for restore in [false, true] {
            let what = |at, error| format!("{fate:?}, restored {restore}, at {at}: {error}");
            let mut at = 0;
            while run_with_fate(fate, restore, at, &steps).map_err(|error| what(at, error))? {
                at += 1;
            }
            runs += at;
        }
    }
    Ok(runs)
}
