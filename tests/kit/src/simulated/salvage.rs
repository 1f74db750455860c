//! What is saved of a damaged store. Values may have whole records in them, with the checksums for the
//! places where they are.

use super::workload::{DIR, Model, open_os};
use crate::properties::directory::{record_crc, record_len, starts};
use kvs_final::disk::SimulatedDisk;
use kvs_final::{Durability, KvStoreOptions, KvsEngine, dump, salvage};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What is said not to be as it was written: in which file, which bytes, and why.
pub type Found = (PathBuf, Range<u64>, String);

/// What is saved of a damaged store, and what is said not to be.
///
/// # Errors
/// If it is refused.
pub fn salvaged(disk: &SimulatedDisk) -> kvs_final::Result<(Model, Vec<Found>)> {
    let (new, mut saved, mut found) = (SimulatedDisk::new(), Model::new(), Vec::new());
    let before = disk.changes();
    let note = |path: &Path, bytes, why: &str| found.push((path.to_owned(), bytes, why.to_owned()));
    drop(salvage(disk, Path::new(DIR), || open_os(&new), note)?);
    assert_eq!(disk.changes(), before);
    dump(&new, Path::new(DIR), |key, value| {
        saved.insert(key.into(), value.into());
        Ok(())
    })?;
    Ok((saved, found))
}

/// What the records of an undamaged store make, without those that were found to be lost, and which these
/// are.
pub fn without(disk: &SimulatedDisk, found: &[Found]) -> (Model, Vec<(PathBuf, Range<u64>)>) {
    let (mut model, mut lost) = (Model::new(), Vec::new());
    let manifest = disk.content(&Path::new(DIR).join("MANIFEST")).unwrap();
    let manifest = String::from_utf8(manifest).unwrap();
    for line in manifest.lines().filter_map(|line| line.strip_prefix("segment ")) {
        let number: u64 = line.split(' ').next().unwrap().parse().unwrap();
        let path = Path::new(DIR).join(format!("{number:010}.seg"));
        let bytes = disk.content(&path).unwrap();
        for start in starts(&bytes).into_iter().skip(1) {
            let end = start + record_len(&bytes, start).unwrap();
            let record = start as u64..end as u64;
            let text = String::from_utf8(bytes[start + 15..end].to_vec()).unwrap();
            let (key, value) = text.split_at(bytes[start + 12].into());
            if found.iter().any(|(file, bytes, _)| *file == path && meet(bytes, &record)) {
                lost.push((path.clone(), record));
            } else if bytes[start + 14] == 1 {
                model.insert(key.to_owned(), value.to_owned());
            } else {
                model.remove(key);
            }
        }
    }
    (model, lost)
}

fn meet(some: &Range<u64>, others: &Range<u64>) -> bool {
    some.start < others.end && others.start < some.end
}

fn segments(disk: &SimulatedDisk) -> Vec<PathBuf> {
    disk.files().into_iter().filter(|path| path.to_string_lossy().ends_with(".seg")).collect()
}

/// A value for the next record of the key `key`, which ends in a record that sets `forged`.
fn value(disk: &SimulatedDisk, filler: usize) -> String {
    let bytes = disk.content(&segments(disk).into_iter().max().unwrap()).unwrap();
    let at = bytes.len() + 15 + "key".len() + filler;
    let mut forged = [&[0; 4][..], &[20, 0, 0, 0, 4, 0, 0, 0, 6, 0, 1], b"forged0000"].concat();
    (0..)
        .find_map(|number| {
            forged[21..].copy_from_slice(format!("{number:04}").as_bytes());
            let crc = record_crc(&bytes[8..16], at, &forged);
            forged[..4].copy_from_slice(&crc.to_le_bytes());
            String::from_utf8(forged.clone()).ok()
        })
        .map(|forged| "v".repeat(filler) + &forged)
        .unwrap()
}

/// Makes such a store, and overwrites so many places in it, of up to 200 bytes. Whatever is not reported
/// must be saved, and nothing else. Returns how many undamaged records were given up.
///
/// # Errors
/// What is wrong instead. The fault: each whole record counts, wherever it is.
pub fn overwritten(seed: u64, places: usize, finds_all: bool) -> Result<usize, String> {
    let mut random = StdRng::seed_from_u64(seed);
    let disk = SimulatedDisk::new();
    let options = KvStoreOptions::new().durability(Durability::Os).segment_bytes(8000);
    let store = options.background(false).disk(disk.clone()).open(DIR).unwrap();
    for number in 0..100 {
        let value = value(&disk, random.random_range(0..200));
        store.set("key".to_owned(), value).unwrap();
        store.set(format!("key{}", number % 30), format!("value {number}")).unwrap();
        if number % 7 == 0 {
            store.remove(format!("key{}", number % 30)).unwrap();
        }
    }
    drop(store);
    let paths = segments(&disk);
    let mut given_up = 0;
    for _ in 0..places {
        let path = &paths[random.random_range(0..paths.len())];
        let good = disk.content(path).unwrap();
        let from = random.random_range(20..good.len());
        let to = (from + random.random_range(1..200)).min(good.len());
        let (mut bad, zeros) = (good.clone(), random.random());
        bad[from..to].fill_with(|| if zeros { 0 } else { random.random() });
        disk.set_content(path, bad.clone());
        let (mut saved, found) = salvaged(&disk).map_err(|error| error.to_string())?;
        disk.set_content(path, good);
        if finds_all {
            let whole = |at: &usize| {
                record_len(&bad, *at).is_some_and(|len| {
                    let crc = record_crc(&bad[8..16], *at, &bad[*at..*at + len]);
                    bad[*at..*at + 4] == crc.to_le_bytes() && bad[*at + 12] == 6
                })
            };
            saved.extend((20..bad.len()).find(whole).map(|_| ("forged".to_owned(), String::new())));
        }
        let (rest, lost) = without(&disk, &found);
        if saved != rest {
            let path = path.display();
            return Err(format!("{from}..{to} of {path}: {saved:?} is saved, not {rest:?}"));
        }
        let damage = from as u64..to as u64;
        given_up +=
            lost.iter().filter(|(file, bytes)| file != path || !meet(bytes, &damage)).count();
    }
    Ok(given_up)
}
