//! Every flipped bit, every missing end and every byte too many of a store that was closed in good order.

use crate::simulated::salvage::{salvaged, without};
use crate::simulated::workload::{DIR, Model, Step, holds, key, open, run, script};
use kvs_final::disk::SimulatedDisk;
use kvs_final::{KvsError, check};
use std::path::Path;

/// A small store of several segments, of a script of this seed and so many more values, and what it
/// holds.
pub fn store(seed: u64, more: usize) -> (SimulatedDisk, Model) {
    let disk = SimulatedDisk::new();
    let mut store = Some(open(&disk).unwrap());
    let mut model = Model::new();
    let more =
        (0..more).map(|number| Step::Set(key(number % 6), format!("long value number {number}")));
    for step in script(seed, 60).into_iter().chain(more) {
        run(&step, &mut store, &disk).unwrap();
        step.apply_to(&mut model);
    }
    drop(store);
    (disk.snapshot(), model)
}

/// Damage to a file, from this place on, is either noticed when the store is opened, and found there,
/// or it changes no answer: then this returns `false`.
///
/// # Errors
/// What is wrong instead.
pub fn is_noticed(
    disk: &SimulatedDisk,
    model: &Model,
    file: &Path,
    place: usize,
) -> Result<bool, String> {
    let opened = open(&disk.snapshot());
    let checked = check(disk, Path::new(DIR));
    let (found, offset) = match opened {
        Err(KvsError::Damaged { path, offset, .. }) => (path, offset),
        Err(KvsError::Format { path, .. }) => (path, 0),
        Err(other) => return Err(other.to_string()),
        Ok(store) => return holds(&store, &[model]).map(|_| false),
    };
    // A record is found to be wrong as a whole, so what is named begins there or before.
    if found != file || offset > place as u64 {
        return Err(format!("found in {} at {offset}", found.display()));
    }
    checked.err().map(|_| true).ok_or_else(|| "open refuses it, check does not".to_owned())
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A bit of it is flipped.
    Bit,
    /// It ends before.
    Cut,
    /// Behind its end is a byte, after so many zeros.
    Behind,
}

impl Kind {
    /// What it makes of a file, by its number, and where that begins. None if there are no more.
    fn make(self, good: &[u8], number: usize) -> Option<(Vec<u8>, usize)> {
        let mut bad = good.to_vec();
        match self {
            Kind::Bit => {
                *bad.get_mut(number / 8)? ^= 1 << (number % 8);
                Some((bad, number / 8))
            }
            Kind::Cut => (number < good.len()).then(|| (good[..number].to_vec(), number)),
            Kind::Behind => {
                bad.extend([&*vec![0; number], b"!"].concat());
                (number < good.len()).then_some((bad, good.len() + number))
            }
        }
    }
}

/// What can be damaged: each file of a small store, and one that is not the store's, where damage
/// does not matter.
pub struct Damage {
    /// Where it is.
    pub disk: SimulatedDisk,
    /// What it holds.
    pub model: Model,
}

impl Damage {
    /// To a store of a script of this seed and so many more values.
    pub fn to_a_store(seed: u64, more: usize) -> Damage {
        let (disk, model) = store(seed, more);
        let damage = Damage { disk, model };
        assert_eq!(is_noticed(&damage.disk, &damage.model, Path::new(DIR), 0), Ok(false));
        let stranger = Path::new(DIR).join("stranger");
        damage.disk.set_content(&stranger, b"!".to_vec());
        damage
    }

    /// Does it to each of the store's files: flips every bit, cuts off every end, and puts a byte behind
    /// the end, after every number of zeros that is less than the file's length. Returns how many of each.
    ///
    /// # Errors
    /// Which one was not noticed.
    pub fn everywhere(&self) -> Result<[usize; 3], String> {
        let files = self.disk.files().into_iter().filter(|path| !path.ends_with("stranger"));
        let mut counts = [0; 3];
        for path in files {
            for (count, kind) in counts.iter_mut().zip([Kind::Bit, Kind::Cut, Kind::Behind]) {
                *count += self.to_a_file(&path, kind)?;
            }
        }
        Ok(counts)
    }

    /// Does it to one file, everywhere. Returns how often.
    ///
    /// # Errors
    /// Where it was not noticed.
    pub fn to_a_file(&self, path: &Path, kind: Kind) -> Result<usize, String> {
        let disk = self.disk.snapshot();
        let good = disk.content(path).unwrap();
        let all = (0..).map_while(|number| kind.make(&good, number));
        let mut count = 0;
        for (bad, place) in all {
            disk.set_content(path, bad);
            let what = format!("{}, {kind:?} {count}", path.display());
            match is_noticed(&disk, &self.model, path, place) {
                Ok(true) => count += 1,
                Ok(false) => return Err(format!("{what} was not noticed")),
                Err(error) => return Err(format!("{what}: {error}")),
            }
            let rest = match kind {
                Kind::Cut => {
                    let lost = (path.to_owned(), place as u64..u64::MAX, String::new());
                    without(&self.disk, &[lost]).0
                }
                Kind::Bit | Kind::Behind => self.model.clone(),
            };
            match salvaged(&disk) {
                Ok((saved, found)) if saved == rest && !found.is_empty() => {}
                other => return Err(format!("{what}: {other:?} is saved, not {rest:?}")),
            }
        }
        Ok(count)
    }
}
