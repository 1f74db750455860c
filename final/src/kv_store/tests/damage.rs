//! Every flipped bit and every missing end of a store that was closed in good order.

use super::workload::{DIR, Model, Step, holds, key, open, run, script};
use crate::disk::SimulatedDisk;
use crate::{KvStoreOptions, KvsEngine, KvsError, check};
use std::path::{Path, PathBuf};

/// A small store of several segments, of a script of this seed and so many more values, and what it
/// holds.
fn store(seed: u64, more: usize) -> (SimulatedDisk, Model) {
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
/// or it changes no answer.
fn is_noticed(
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
pub(crate) struct Damage {
    disk: SimulatedDisk,
    model: Model,
}

impl Damage {
    /// To a store of a script of this seed and so many more values.
    pub(crate) fn to_a_store(seed: u64, more: usize) -> Damage {
        let (disk, model) = store(seed, more);
        let damage = Damage { disk, model };
        assert_eq!(is_noticed(&damage.disk, &damage.model, Path::new(DIR), 0), Ok(false));
        let stranger = Path::new(DIR).join("stranger");
        crate::disk::Disk::create(&damage.disk, &stranger).unwrap().write_at(b"!", 0).unwrap();
        damage
    }

    /// Does it to each of the store's files: see [`Damage::to_a_file`].
    pub(crate) fn everywhere(&self) -> Result<(usize, usize), String> {
        let files = self.disk.files().into_iter().filter(|path| !path.ends_with("stranger"));
        let mut counts = (0, 0);
        for path in files {
            let (flips, ends) = self.to_a_file(&path)?;
            counts = (counts.0 + flips, counts.1 + ends);
        }
        Ok(counts)
    }

    /// Flips each bit of a file, and cuts off each of its ends. Returns how many of both there were,
    /// or which one was not noticed.
    pub(crate) fn to_a_file(&self, path: &Path) -> Result<(usize, usize), String> {
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

#[test]
fn every_flipped_bit_and_every_missing_end_is_noticed_and_found() {
    let (flips, ends) = Damage::to_a_store(7, 40).everywhere().unwrap();
    println!("{flips} flipped bits and {ends} missing ends were noticed");
    assert!(flips >= 8_000 && ends >= 1_000, "{flips} and {ends}");
}

#[test]
fn planted_damage_that_no_checksum_covers_is_caught() {
    let stranger = Path::new(DIR).join("stranger");
    let error = Damage::to_a_store(7, 40).to_a_file(&stranger).unwrap_err();
    assert!(error.ends_with("stranger, bit 0 was not noticed"), "{error}");
}

/// And so is damage that is said to be in another place than it is.
#[test]
fn planted_damage_that_is_found_elsewhere_is_caught() {
    let Damage { disk, model } = Damage::to_a_store(7, 40);
    let path = disk
        .files()
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "seg"))
        .unwrap();
    let mut bad = disk.content(&path).unwrap();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    disk.set_content(&path, bad);
    assert_eq!(is_noticed(&disk, &model, &path, last), Ok(true));
    assert!(is_noticed(&disk, &model, &path, 0).unwrap_err().starts_with("found in"));
    assert!(is_noticed(&disk, &model, Path::new(DIR), last).unwrap_err().starts_with("found in"));
}

/// The newest segment of a store that was not closed, and the places where its records start.
fn unclosed() -> (SimulatedDisk, PathBuf, Vec<usize>) {
    let disk = SimulatedDisk::new();
    let options = KvStoreOptions::new().background(false).disk(disk.clone());
    let store = options.durability(crate::Durability::Always).open(DIR).unwrap();
    let path = Path::new(DIR).join("0000000001.seg");
    let mut starts = Vec::new();
    for number in 0..5 {
        // The reserve is zeros; a record ends with a letter.
        let content = disk.content(&path).unwrap();
        starts.push(content.iter().rposition(|byte| *byte != 0).unwrap() + 1);
        store.set(key(number), "value".to_owned()).unwrap();
    }
    (disk.after_kill(disk.changes()), path, starts)
}

#[test]
fn a_torn_tail_is_cut_and_damage_before_it_is_refused() {
    let (disk, path, starts) = unclosed();
    let good = disk.content(&path).unwrap();
    let open = || KvStoreOptions::new().disk(disk.snapshot()).open(DIR);
    for (number, start) in starts.iter().enumerate() {
        let mut bad = good.clone();
        bad[start + 20] ^= 1;
        disk.set_content(&path, bad);
        if number + 1 == starts.len() {
            // Nothing behind the last record says that it had been complete.
            let store = open().unwrap();
            assert_eq!(store.get(key(number)).unwrap(), None);
            assert_eq!(store.get(key(number - 1)).unwrap().unwrap(), "value");
        } else {
            match open() {
                Err(KvsError::Damaged { path: file, offset, .. }) => {
                    assert_eq!((&file, offset), (&path, *start as u64));
                }
                other => panic!("record {number}: {:?}", other.map(drop)),
            }
        }
    }
}

/// Every "\u{1}" of a value looks like the header of a very long record.
#[test]
fn a_torn_tail_that_looks_like_headers_does_not_keep_the_store_from_opening() {
    let (disk, path, _) = unclosed();
    let mut torn = disk.content(&path).unwrap();
    torn.extend(vec![1; 1 << 20]);
    torn.extend(b"\x01\x00".repeat(1 << 18));
    disk.set_content(&path, torn);
    let store = open(&disk).unwrap();
    assert_eq!(store.get(key(4)).unwrap().unwrap(), "value");
}

#[test]
fn check_changes_nothing_and_counts_right() {
    let (disk, path, _) = unclosed();
    let before = disk.changes();
    let report = check(&disk, Path::new(DIR)).unwrap();
    assert_eq!((report.segments, report.records, report.keys, report.torn_bytes), (1, 5, 5, 0));
    let mut torn = disk.content(&path).unwrap();
    let end = torn.iter().rposition(|byte| *byte != 0).unwrap();
    torn[end] = b'?';
    disk.set_content(&path, torn);
    let report = check(&disk, Path::new(DIR)).unwrap();
    assert_eq!((report.records, report.keys), (4, 4));
    assert!(report.torn_bytes > 0);
    assert_eq!(disk.changes(), before);
    assert!(check(&disk, Path::new("/elsewhere")).is_err());
}

#[test]
fn a_directory_of_another_format_is_refused_by_name() {
    let disk = SimulatedDisk::new();
    let dir = Path::new(DIR);
    drop(crate::disk::Disk::create(&disk, &dir.join("kvs-1.log")).unwrap());
    let error = open(&disk).map(drop).unwrap_err().to_string();
    assert!(error.contains("a log in the stages' format"), "{error}");

    let (disk, _, _) = unclosed();
    crate::disk::Disk::remove(&disk, &dir.join("MANIFEST")).unwrap();
    let error = open(&disk).map(drop).unwrap_err().to_string();
    assert!(error.contains("segments but no manifest"), "{error}");
}

#[test]
fn opening_a_store_many_times_leaves_no_files_behind() {
    let (disk, model) = store(7, 40);
    let before = disk.files();
    for _ in 0..200 {
        holds(&open(&disk).unwrap(), &[&model]).unwrap();
    }
    assert_eq!(disk.files(), before);
}

#[test]
fn a_store_is_refused_to_a_second_owner() {
    let disk = SimulatedDisk::new();
    let owner = open(&disk).unwrap();
    assert!(matches!(open(&disk), Err(KvsError::InUse { .. })));
    assert!(matches!(check(&disk, Path::new(DIR)), Err(KvsError::InUse { .. })));
    run(&Step::Set(key(0), "v".into()), &mut Some(owner), &disk).unwrap();
    assert_eq!(open(&disk).unwrap().get(key(0)).unwrap().unwrap(), "v");
}
