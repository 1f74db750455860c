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

/// A store that was closed, or one whose process was killed, and what is in both.
static STORES: LazyLock<([SimulatedDisk; 2], Model)> = LazyLock::new(|| stores(1, 40));

/// Makes up to four changes to a store. Most are of a byte near the start of a file or of a record; then the
/// checksum there may be made to fit. Says whether it is a store that was closed, of which only bytes were changed,
/// lost or added, and no checksum fits again.
fn changed(random: &mut StdRng) -> (SimulatedDisk, bool) {
    let killed = random.random_range(0..2);
    let (disk, mut is_plain) = (STORES.0[killed].snapshot(), killed == 0);
    for _ in 0..random.random_range(0..5) {
        let files = disk.files();
        let Some(path) = files.choose(random) else { break };
        let mut bytes = disk.content(path).unwrap();
        let mut mended = None;
        if random.random_bool(0.6) {
            let start = *starts(&bytes).choose(random).unwrap_or(&0);
            if let Some(byte) = bytes.get_mut(start + random.random_range(0..40)) {
                *byte ^= random.random::<u8>();
            }
            mended = random.random::<bool>().then_some(start);
        } else {
            let at = random.random_range(0..=bytes.len());
            match random.random_range(0..8) {
                0..=2 if at < bytes.len() => bytes[at] ^= random.random::<u8>(),
                3 => bytes.truncate(at),
                4 => bytes.resize(bytes.len() + random.random_range(0..256), random.random()),
                5 => {
                    bytes = disk.content(files.choose(random).unwrap_or(path)).unwrap();
                    is_plain = false;
                }
                6 => {
                    disk.delete(path);
                    is_plain = false;
                    continue;
                }
                _ => mended = Some(at),
            }
        }
        if let Some(at) = mended {
            mend(path, &mut bytes, at);
            is_plain = false;
            // Or it would say what was there before.
            let hint = path.with_extension("hint");
            files.iter().filter(|path| **path == hint).for_each(|hint| disk.delete(hint));
        }
        disk.set_content(path, bytes);
    }
    (disk, is_plain)
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
pub(super) fn hold(random: &mut StdRng, expects_all: bool, reached: &mut Reached) {
    let (disk, is_plain) = changed(random);
    let checked = check(&disk, Path::new(DIR));
    // Where there is a hint, the values are not read by the open.
    let opened = open(&disk).and_then(|store| Ok((content(&store)?, store)));
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
    if expects_all || is_plain {
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
    let store = open(&disk).unwrap();
    let written = Model::from([(key(0), "written".to_owned())]);
    assert_eq!(content(&store).unwrap(), found.into_iter().chain(written).collect::<Model>());
    assert!(!disk.files().iter().any(|path| path.ends_with("MANIFEST.new")));
}
