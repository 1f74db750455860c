//! Every flipped bit and every missing end of a store that was closed in good order.

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

    /// Does it to each of the store's files: see [`Damage::to_a_file`].
    ///
    /// # Errors
    /// Which one was not noticed.
    pub fn everywhere(&self) -> Result<(usize, usize), String> {
        let files = self.disk.files().into_iter().filter(|path| !path.ends_with("stranger"));
        let mut counts = (0, 0);
        for path in files {
            let (flips, ends) = self.to_a_file(&path)?;
            counts = (counts.0 + flips, counts.1 + ends);
        }
        Ok(counts)
    }

    /// Flips each bit of a file, and cuts off each of its ends. Returns how many of both there were.
    ///
    /// # Errors
    /// Which one was not noticed.
    pub fn to_a_file(&self, path: &Path) -> Result<(usize, usize), String> {
        let disk = self.disk.snapshot();
        let good = disk.content(path).unwrap();
        let must_be_noticed = |bad: Vec<u8>, place, what: String| {
            disk.set_content(path, bad);
            let what = format!("{}, {what}", path.display());
            match is_noticed(&disk, &self.model, path, place) {
                Ok(true) => Ok(()),
                Ok(false) => Err(format!("{what} was not noticed")),
                Err(error) => Err(format!("{what}: {error}")),
            }
        };
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            must_be_noticed(bad, bit / 8, format!("bit {bit}"))?;
        }
        for len in 0..good.len() {
            must_be_noticed(good[..len].to_vec(), len, format!("cut to {len}"))?;
        }
        Ok((good.len() * 8, good.len()))
    }
}
