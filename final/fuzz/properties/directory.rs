//! What holds of a store's directory, whatever has become of its files: it is refused in words, or it
//! is opened and is a store.

use kvs_final::disk::{Disk, SimulatedDisk};
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine, KvsError, Result, check};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const DIR: &str = "/store";
const KEYS: usize = 8;
/// How many bytes of the input make a change.
const CHANGE: usize = 6;

type Model = BTreeMap<String, String>;

fn open(disk: &SimulatedDisk) -> Result<KvStore> {
    let options = KvStoreOptions::new().durability(Durability::Always).segment_bytes(300);
    options.background(false).disk(disk.clone()).open(DIR)
}

fn key(number: usize) -> String {
    format!("key{number}")
}

/// A store that was closed, or one whose process was killed, and what is in both.
fn stores() -> &'static ([SimulatedDisk; 2], Model) {
    static STORES: OnceLock<([SimulatedDisk; 2], Model)> = OnceLock::new();
    STORES.get_or_init(|| {
        let (disk, mut model) = (SimulatedDisk::new(), Model::new());
        let store = open(&disk).expect("the disk is empty");
        for number in 0..40 {
            let (key, value) = (key(number % KEYS), format!("a value that is not kept, {number}"));
            if number > KEYS && number % 7 == 6 {
                store.remove(key.clone()).expect("it is there");
                model.remove(&key);
            } else {
                store.set(key.clone(), value.clone()).expect("the disk is good");
                model.insert(key, value);
            }
            if number == 20 {
                store.compact().expect("the disk is good");
            }
        }
        let killed = disk.after_kill(disk.changes()).snapshot();
        drop(store);
        ([disk.snapshot(), killed], model)
    })
}

/// What the input makes of a store.
struct Changed {
    disk: SimulatedDisk,
    /// Whether checksums were made to fit again.
    is_mended: bool,
    /// Whether it is a store that was closed, of which only bytes were changed.
    is_plain: bool,
}

fn change(input: &[u8]) -> Changed {
    let (start, changes) = input.split_at(1);
    let killed = usize::from(start[0] % 2);
    let disk = stores().0[killed].snapshot();
    let mut changed = Changed { disk: disk.clone(), is_mended: false, is_plain: killed == 0 };
    for change in changes.chunks_exact(CHANGE) {
        let files = disk.files();
        if files.is_empty() {
            break;
        }
        let path = &files[usize::from(change[0]) % files.len()];
        let mut bytes = disk.content(path).expect("it was listed");
        let place = usize::from(change[2]) << 8 | usize::from(change[3]);
        let at = place % bytes.len().max(1);
        match change[1] % 8 {
            0..=2 if at < bytes.len() => bytes[at] ^= change[4],
            3 => bytes.truncate(at),
            4 => bytes.extend([change[4]].repeat(change[5].into())),
            5 => {
                let other = &files[usize::from(change[4]) % files.len()];
                bytes = disk.content(other).expect("it was listed");
            }
            6 => {
                disk.remove(path).expect("it was listed");
                changed.is_plain = false;
                continue;
            }
            _ => {
                mend(path, &mut bytes, at);
                changed.is_mended = true;
            }
        }
        if change[1] % 8 > 2 {
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
    } else if let Some(record) = bytes.get(at..).filter(|record| record.len() >= 15) {
        let value = u32::from_le_bytes([record[8], record[9], record[10], record[11]]) as usize;
        let key = usize::from(u16::from_le_bytes([record[12], record[13]]));
        let Some(end) = (at + 15 + key).checked_add(value).filter(|end| *end <= bytes.len()) else {
            return;
        };
        let mut crc = crc32fast::Hasher::new();
        crc.update(&bytes[8..16]);
        crc.update(&(at as u32).to_le_bytes());
        crc.update(&bytes[at + 4..end]);
        bytes[at..at + 4].copy_from_slice(&crc.finalize().to_le_bytes());
    }
}

fn content(store: &KvStore) -> Model {
    let found = (0..KEYS).filter_map(|number| {
        let found = store.get(key(number)).expect("all of it was read when it was opened");
        found.map(|value| (key(number), value))
    });
    found.collect()
}

/// The first byte picks the store, the others change it.
pub(crate) fn hold(input: &[u8]) {
    hold_if(input, |changed| changed.is_plain && !changed.is_mended);
}

/// A mistake that is to be noticed: that a byte was changed is expected to make no difference even
/// where the checksum was made to fit.
#[allow(dead_code)] // the fuzzer has no use for it
pub(crate) fn hold_although_mended(input: &[u8]) {
    hold_if(input, |_| true);
}

fn hold_if(input: &[u8], is_unchanged: fn(&Changed) -> bool) {
    if input.is_empty() {
        return;
    }
    let changed = change(input);
    let disk = &changed.disk;
    let checked = check(disk, Path::new(DIR));
    let store = match open(disk) {
        Ok(store) => store,
        Err(error @ (KvsError::Damaged { .. } | KvsError::Format { .. })) => {
            assert!(checked.is_err(), "open says {error}, and check finds nothing");
            return;
        }
        Err(KvsError::File { .. }) => return,
        Err(other) => panic!("{other}"),
    };
    let found = content(&store);
    if is_unchanged(&changed) {
        assert_eq!(found, stores().1, "damage has changed an answer");
    }
    // What was opened is a store: it can be written, compacted, and opened again.
    store.set(key(0), "written".to_owned()).expect("the disk is good");
    store.compact().expect("the disk is good");
    drop(store);
    let store = open(disk).expect("it was a store");
    let written = Model::from([(key(0), "written".to_owned())]);
    assert_eq!(content(&store), found.into_iter().chain(written).collect::<Model>());
    let strangers: Vec<PathBuf> =
        disk.files().into_iter().filter(|path| path.ends_with("MANIFEST.new")).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}
