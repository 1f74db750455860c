//! What holds of a store's directory, whatever has become of its files: it is refused in words, or it
//! is opened and is a store.

use super::{Reached, note};
use crate::simulated::damage::stores;
use crate::simulated::workload::{DIR, KEYS, Model, key, open};
use kvs_final::disk::SimulatedDisk;
use kvs_final::{KvStore, KvsEngine, KvsError, Result, check};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use std::path::Path;
use std::sync::LazyLock;

/// How many bytes of the input make a change.
const CHANGE: usize = 6;

/// A store that was closed, or one whose process was killed, and what is in both.
static STORES: LazyLock<([SimulatedDisk; 2], Model)> = LazyLock::new(|| stores(1, 40));

/// What the input makes of a store.
struct Changed {
    disk: SimulatedDisk,
    /// Whether checksums were made to fit again.
    is_mended: bool,
    /// Whether it is a store that was closed, of which only bytes were changed, lost or added.
    is_plain: bool,
}

fn change(input: &[u8]) -> Changed {
    let (start, changes) = input.split_at(1);
    let killed = usize::from(start[0] % 2);
    let disk = STORES.0[killed].snapshot();
    let mut changed = Changed { disk: disk.clone(), is_mended: false, is_plain: killed == 0 };
    for change in changes.chunks_exact(CHANGE) {
        let files = disk.files();
        if files.is_empty() {
            break;
        }
        let path = &files[usize::from(change[0]) % files.len()];
        let mut bytes = disk.content(path).unwrap();
        let place = usize::from(change[2]) << 8 | usize::from(change[3]);
        let at = place % bytes.len().max(1);
        match change[1] % 8 {
            0..=2 if at < bytes.len() => bytes[at] ^= change[4],
            3 => bytes.truncate(at),
            4 => bytes.extend([change[4]].repeat(change[5].into())),
            5 => {
                let other = &files[usize::from(change[4]) % files.len()];
                bytes = disk.content(other).unwrap();
            }
            6 => {
                disk.delete(path);
                changed.is_plain = false;
                continue;
            }
            _ => {
                mend(path, &mut bytes, at);
                changed.is_mended = true;
                // Or it would say what was there before.
                let hint = path.with_extension("hint");
                files.iter().filter(|path| **path == hint).for_each(|hint| disk.delete(hint));
            }
        }
        if change[1] % 8 > 4 {
            changed.is_plain = false;
        }
        disk.set_content(path, bytes);
    }
    changed
}

/// Makes a checksum fit: the manifest's, a segment header's, or that of a record that would start here.
fn mend(path: &Path, bytes: &mut [u8], at: usize) {
    if path.ends_with("MANIFEST") {
        let Some(end) = bytes.windows(4).rposition(|word| word == b"crc ") else {
            return;
        };
        let crc = format!("{:08x}", crc32fast::hash(&bytes[..end]));
        for (byte, digit) in bytes[end + 4..].iter_mut().zip(crc.bytes()) {
            *byte = digit;
        }
    } else if bytes.len() >= 20 && at < 20 {
        let crc = crc32fast::hash(&bytes[..16]);
        bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    } else if let Some(len) = record_len(bytes, at) {
        let crc = record_crc(&bytes[8..16], at, &bytes[at..at + len]);
        bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    }
}

/// The checksum of a record at this place of the segment of this number.
pub(crate) fn record_crc(segment: &[u8], at: usize, record: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(segment);
    crc.update(&(at as u32).to_le_bytes());
    crc.update(&record[4..]);
    crc.finalize()
}

fn content(store: &KvStore) -> Result<Model> {
    let found = (0..KEYS).map(|number| Ok(store.get(key(number))?.map(|v| (key(number), v))));
    Ok(found.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// The first byte picks the store, the others change it. Some bytes change near the start of a file or
/// of a record, and then the checksum there is made to fit.
pub(super) fn generate(random: &mut StdRng) -> Vec<u8> {
    let mut input = vec![random.random()];
    let disk = &STORES.0[usize::from(input[0]) % 2];
    let files = disk.files();
    for _ in 0..random.random_range(0..5) {
        let mut change: [u8; CHANGE] = random.random();
        if random.random_bool(0.6) {
            let file = random.random_range(0..files.len());
            let starts = starts(&disk.content(&files[file]).unwrap());
            let start = *starts.choose(random).unwrap_or(&0);
            let at = start + random.random_range(0..40);
            change[..4].copy_from_slice(&[file as u8, 0, (at >> 8) as u8, at as u8]);
            if random.random() {
                input.extend(change);
                change = [file as u8, 7, (start >> 8) as u8, start as u8, 0, 0];
            }
        }
        input.extend(change);
    }
    input
}

/// Where a segment's header and its records start.
pub fn starts(bytes: &[u8]) -> Vec<usize> {
    let mut starts = vec![0];
    let mut next = 20;
    while let Some(len) = record_len(bytes, next) {
        starts.push(next);
        next += len;
    }
    starts
}

/// How long the record is that would start here, if all of it is there.
pub(crate) fn record_len(bytes: &[u8], at: usize) -> Option<usize> {
    let header: &[u8; 15] = bytes.get(at..)?.first_chunk()?;
    let value = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
    let key = usize::from(u16::from_le_bytes([header[12], header[13]]));
    (15 + key).checked_add(value).filter(|len| *len <= bytes.len() - at)
}

/// The fault: that a byte was changed is expected to make no difference even where the checksum was
/// made to fit.
pub(super) fn hold(input: &[u8], expects_all: bool, reached: &mut Reached) {
    if input.is_empty() {
        return;
    }
    let changed = change(input);
    let disk = &changed.disk;
    let checked = check(disk, Path::new(DIR));
    // Where there is a hint, the values are not read by the open.
    let opened = open(disk).and_then(|store| Ok((content(&store)?, store)));
    let (found, store) = match opened {
        Ok(opened) => opened,
        Err(error @ (KvsError::Damaged { .. } | KvsError::Format { .. })) => {
            assert!(checked.is_err(), "open says {error}, and check finds nothing");
            return match error {
                KvsError::Damaged { reason, .. } => note(reached, reason),
                _ => note(reached, "a later format"),
            };
        }
        Err(KvsError::File { .. }) => return note(reached, "a file that is missing"),
        Err(other) => panic!("{other}"),
    };
    if expects_all || changed.is_plain && !changed.is_mended {
        assert_eq!(found, STORES.1, "damage has changed an answer");
    }
    note(reached, if found == STORES.1 { "all of it" } else { "another content" });
    // What was opened is a store: it can be written, compacted, and opened again.
    store.set(key(0), "written".to_owned()).unwrap();
    match store.compact() {
        Err(KvsError::Damaged { reason, .. }) if checked.is_err() => return note(reached, reason),
        compacted => compacted.unwrap(),
    }
    drop(store);
    let store = open(disk).unwrap();
    let written = Model::from([(key(0), "written".to_owned())]);
    assert_eq!(content(&store).unwrap(), found.into_iter().chain(written).collect::<Model>());
    assert!(!disk.files().iter().any(|path| path.ends_with("MANIFEST.new")));
}
