//! Every flipped bit, every missing end and every byte too many of a store that was closed in good order;
//! flipped bits of one whose process was killed; and what is saved of a damaged store. Values may have whole records in them, with the checksums for the
//! places where they are.

use super::workload::{
    DIR, KEYS, Model, holds, is_hint, key, open, open_os, run_with, script, set,
};
use crate::properties::directory::{record_crc, record_len, starts};
use kvs_final::disk::SimulatedDisk;
use kvs_final::{
    CheckReport, Durability, KvStoreOptions, KvsEngine, KvsError, check, dump, salvage,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A small store of several segments, of a script of this seed and so many more values, and what it
/// holds.
pub fn store(seed: u64, more: usize) -> (SimulatedDisk, Model) {
    let ([closed, _], model) = stores(seed, more);
    (closed, model)
}

/// The same, and what its disk would be if its process had been killed. At level `os`, where no record
/// vouches for those before it.
pub fn stores(seed: u64, more: usize) -> ([SimulatedDisk; 2], Model) {
    let disk = SimulatedDisk::new();
    let mut store = Some(open_os(&disk).unwrap());
    let mut model = Model::new();
    let more = (0..more).map(|number| set(key(number % 6), format!("long value number {number}")));
    for step in script(seed, 60).into_iter().chain(more) {
        run_with(&step, &mut store, || open_os(&disk)).unwrap();
        step.apply_to(&mut model);
    }
    let killed = disk.after_kill(disk.changes()).snapshot();
    drop(store);
    ([disk.snapshot(), killed], model)
}

/// Damage to a file, from this place on, is either noticed, and found there, or it changes no answer: then this
/// returns `false`. It is noticed when the store is opened; where a hint spares the open a segment, by `check`, and
/// it is an error of a read or changes no answer. A damaged hint is named by `check` and changes no answer.
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
        Ok(store) => {
            let (path, offset) = match &checked {
                Err(KvsError::Damaged { path, offset, .. }) => (path, offset),
                checked => {
                    let is_unused = |report: &CheckReport| !report.unused_hints.is_empty();
                    let is_noticed = checked.as_ref().is_ok_and(is_unused) && is_hint(file);
                    return holds(&store, &[model]).map(|_| is_noticed);
                }
            };
            let is_found = |path: &Path, offset| path == file && offset <= place as u64;
            for number in 0..KEYS {
                match store.get(key(number)) {
                    Ok(value) if value.as_ref() == model.get(&key(number)) => {}
                    Err(KvsError::Damaged { path, offset, .. }) if is_found(&path, offset) => {}
                    other => return Err(format!("get {}: {other:?}", key(number))),
                }
            }
            let hint = path.with_extension("hint");
            if store.stats().keys != model.len() as u64 || disk.content(&hint).is_none() {
                return Err("open did not notice it".to_owned());
            }
            (path.clone(), *offset)
        }
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
    /// To a store of a script of this seed and so many more values, which was closed, or whose process was
    /// `killed`.
    pub fn to_a_store(seed: u64, more: usize, killed: bool) -> Damage {
        let (disks, model) = stores(seed, more);
        let damage = Damage { disk: disks[usize::from(killed)].clone(), model };
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
                *count += self.to_a_file(&path, kind, usize::MAX)?;
            }
        }
        Ok(counts)
    }

    /// Flips every bit before the last record of each segment. Returns how many.
    ///
    /// # Errors
    /// Which one was not noticed.
    pub fn before_the_last_record(&self) -> Result<usize, String> {
        let bits = segments(&self.disk).into_iter().map(|path| {
            let bytes = self.disk.content(&path).unwrap();
            // Zeros are reserved space.
            let last = starts(&bytes).into_iter().rfind(|start| bytes[start + 14] != 0);
            self.to_a_file(&path, Kind::Bit, last.unwrap_or(bytes.len()))
        });
        bits.sum()
    }

    /// Does it to one file, everywhere before `end`. Returns how often.
    ///
    /// # Errors
    /// Where it was not noticed.
    pub fn to_a_file(&self, path: &Path, kind: Kind, end: usize) -> Result<usize, String> {
        let disk = self.disk.snapshot();
        let good = disk.content(path).unwrap();
        let all = (0..).map_while(|number| kind.make(&good, number));
        let all = all.take_while(|(_, place)| *place < end);
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
                // It doesn't look at hints.
                Ok((saved, found)) if saved == rest && found.is_empty() == is_hint(path) => {}
                other => return Err(format!("{what}: {other:?} is saved, not {rest:?}")),
            }
        }
        Ok(count)
    }
}

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

/// The kind of a batch's record; those of the records in it are so much higher than of others.
const BATCH: u8 = 3;

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
            let whole = start as u64..end as u64;
            let is_lost = found.iter().any(|(file, bytes, _)| *file == path && meet(bytes, &whole));
            if is_lost {
                lost.push((path.clone(), whole));
                continue;
            }
            let mut at = if bytes[start + 14] == BATCH { start + 15 } else { start };
            while at < end {
                let next = at + record_len(&bytes, at).unwrap();
                let text = String::from_utf8(bytes[at + 15..next].to_vec()).unwrap();
                let (key, value) = text.split_at(bytes[at + 12].into());
                match bytes[at + 14] % BATCH {
                    1 => drop(model.insert(key.to_owned(), value.to_owned())),
                    _ => drop(model.remove(key)),
                }
                at = next;
            }
        }
    }
    (model, lost)
}

fn meet(some: &Range<u64>, others: &Range<u64>) -> bool {
    some.start < others.end && others.start < some.end
}

/// A store with hints. A key is set in one segment, and perhaps removed in a later one.
fn hinted(value: &str, removes: bool) -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let store = open(&disk).unwrap();
    store.set(key(0), value.to_owned()).unwrap();
    for number in 1..4 {
        store.set(key(number), value.repeat(40)).unwrap();
        store.set(key(4), format!("{value} {number}")).unwrap();
        store.set(key(5), "fills a segment ".repeat(12)).unwrap();
    }
    if removes {
        store.remove(key(4)).unwrap();
    }
    store.set(key(5), "fills another".repeat(16)).unwrap();
    store.compact_if_due().unwrap();
    disk
}

/// The faults in [`hints`].
pub const HINTS: [&str; 3] = [
    "a damaged hint, its checksum made to fit",
    "the hint of another segment, made to fit",
    "a hint without a removal, made to fit",
];

/// Hints that are damaged, of another store's segments of the same numbers, or without a removal change no
/// answer. Returns how many were tried. With a fault such a hint is made to fit its segment.
///
/// # Errors
/// What is answered instead.
pub fn hints(fault: &str) -> Result<u64, String> {
    let (disk, bare) = (hinted("ours", true), hinted("ours", true));
    let paths: Vec<_> = disk.files().into_iter().filter(|path| is_hint(path)).collect();
    paths.iter().for_each(|path| bare.delete(path));
    let (bare, stale, keeps) = (open(&bare).unwrap(), hinted("them", true), hinted("ours", false));
    let get = |number| Some((key(number), bare.get(key(number)).unwrap()?));
    let model: Model = (0..KEYS).filter_map(get).collect();
    for path in &paths {
        let [good, stale, keeps] = [&disk, &stale, &keeps].map(|disk| disk.content(path).unwrap());
        let mut damaged = good.clone();
        let at = good.windows(4).position(|text| text == b"ours").unwrap_or(good.len() - 5);
        damaged[at] ^= 1;
        for (name, mut bad) in HINTS.into_iter().zip([damaged, stale, keeps]) {
            if fault == name {
                let segment = disk.content(&path.with_extension("seg")).unwrap();
                let number = |at: usize| u32::from_le_bytes(*bad[at..].first_chunk().unwrap());
                let last = number(36 + 11 * (number(32) as usize - 1)) as usize;
                bad[16..24].copy_from_slice(&[&good[16..20], &segment[20..24]].concat());
                bad[24..28].copy_from_slice(&segment[last..last + 4]);
                let body = bad.len() - 4;
                let crc = crc32fast::hash(&bad[..body]);
                bad[body..].copy_from_slice(&crc.to_le_bytes());
            }
            let disk = disk.snapshot();
            disk.set_content(path, bad);
            holds(&open(&disk).unwrap(), &[&model])?;
        }
    }
    Ok((paths.len() * HINTS.len()) as u64)
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
