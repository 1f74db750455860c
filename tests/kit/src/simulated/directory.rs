//! A directory that somebody else moves, deletes or replaces, before every operation of the disk.

use crate::expected::Expected;
use crate::simulated::faults::note;
use crate::simulated::workload::{DIR, Step, open, options, run, script};
use kvs_final::disk::SimulatedDisk;
use kvs_final::{KvsEngine, Write};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::path::{Path, PathBuf};

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
fn run_with(fate: Fate, restore: bool, at: usize, steps: &[Step]) -> Result<bool, String> {
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
pub fn everywhere(seed: u64, steps: usize) -> Result<usize, String> {
    let mut steps = script(seed, steps);
    steps.retain(|step| !matches!(step, Step::Reopen));
    let mut runs = 0;
    for fate in [Fate::Moved, Fate::Deleted, Fate::MarkerRemoved, Fate::MarkerReplaced] {
        for restore in [false, true] {
            let what = |at, error| format!("{fate:?}, restored {restore}, at {at}: {error}");
            let mut at = 0;
            while run_with(fate, restore, at, &steps).map_err(|error| what(at, error))? {
                at += 1;
            }
            runs += at;
        }
    }
    Ok(runs)
}
