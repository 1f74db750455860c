//! Directories as they were written when their format was made, which every version from then on has to open;
//! and directories that are not to be opened. What is in `golden.tar` is never written anew: of format 1, with its
//! manifest, a store that was closed in good order, and one whose process was killed and whose tail was torn; and a
//! closed one of batches, which segments have since format 2.
//!
//! Whoever only reads a store needs no leave to write, changes nothing, and is in nobody's way who reads
//! too.

use crate::sessions::are_as_shown;
use crate::*;
use kvs_final::disk::{Access, Disk, RealDisk};
use kvs_test_kit::properties::starts;

pub(crate) const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden.tar");

fn tar(args: &[&str], dir: &Path) {
    assert!(Command::new("tar").arg("-C").arg(dir).args(args).status().unwrap().success());
}

/// One of them, to open.
fn golden(name: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    tar(&["-xf", GOLDEN, "--strip-components=1", name], dir.path());
    if is_injected("a golden file that is not as it was") {
        let path = segments(dir.path()).remove(0);
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
    }
    dir
}

/// The number of a format that is not known yet, of segments or of the manifest.
fn later() -> u8 {
    if is_injected("a later format that is let in") { 2 } else { 3 }
}

/// What they hold: every third key was removed, and every fourth value is long.
fn expected(number: usize) -> Option<String> {
    let long = "long and not only ASCII: Ω".repeat(number % 4 / 3);
    (!number.is_multiple_of(3)).then(|| format!("value {number} {long}"))
}

const KEYS: usize = 40;

/// Writes them, and removes what is to be removed.
fn write(store: &KvStore) {
    for round in 0..2 {
        for number in 0..KEYS {
            let value = expected(number).unwrap_or("to be removed".to_owned());
            store.set(format!("key {number}"), value).unwrap();
        }
        if round == 0 {
            store.compact().unwrap();
        }
    }
    for number in (0..KEYS).filter(|number| expected(*number).is_none()) {
        store.remove(format!("key {number}")).unwrap();
    }
}

/// The same in batches of a few keys.
fn write_batches(store: &KvStore) {
    let value = |number, round| match expected(number) {
        None if round == 0 => Some("to be removed".to_owned()),
        value => value,
    };
    for round in 0..2 {
        let writes = (0..KEYS).map(|number| (format!("key {number}"), value(number, round)));
        let writes: Vec<_> = writes.collect();
        writes.chunks(6).for_each(|writes| store.write_batch(writes.to_vec()).unwrap());
    }
}

fn holds_what_is_expected(store: &KvStore) {
    for number in 0..KEYS {
        assert_eq!(store.get(format!("key {number}")).unwrap(), expected(number), "key {number}");
    }
}

fn options() -> KvStoreOptions {
    KvStoreOptions::new().durability(Durability::Os).segment_bytes(1_000).background(false)
}

/// How `batches` was made, and the others before it: `cargo test -p final --test integration formats:: -- --ignored`.
#[test]
#[ignore = "for a new format only; what is there is never written anew"]
fn make_a_golden_directory() {
    let place = TempDir::new().unwrap();
    write_batches(&options().open(place.path().join("batches")).unwrap());
    let fixed = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
    tar(&[&["-rf", GOLDEN][..], &fixed, &["batches"]].concat(), place.path());
}

/// By their numbers.
fn segments(dir: &Path) -> Vec<PathBuf> {
    content(dir)
        .into_keys()
        .filter(|path| path.extension().is_some_and(|end| end == "seg"))
        .collect()
}

#[test]
fn sessions_with_directories_of_others() {
    are_as_shown(include_str!("sessions/formats.md"));
}

#[test]
fn a_golden_directory_that_was_closed_is_opened() {
    for name in ["closed", "batches"] {
        let dir = golden(name);
        // What is none of the store's is left alone.
        let notes = dir.path().join("notes.txt");
        fs::write(&notes, "mine").unwrap();
        let report = check(&RealDisk, dir.path()).unwrap();
        assert!(report.segments > 3 && report.keys == 26 && report.torn_bytes == 0, "{report:?}");
        for _ in 0..2 {
            let store = KvStore::open(dir.path()).unwrap();
            holds_what_is_expected(&store);
            store.write_batch(vec![("key 1".into(), expected(1)), ("x".into(), None)]).unwrap();
            store.compact().unwrap();
            holds_what_is_expected(&store);
        }
        assert_eq!(fs::read_to_string(notes).unwrap(), "mine");
    }
}

#[test]
fn a_golden_directory_is_what_is_written_today() {
    // But for the version and the number of the segment, and for the checksums, which are of the number too.
    let common = |path: &PathBuf| {
        let mut bytes = fs::read(path).unwrap();
        starts(&bytes).into_iter().skip(1).for_each(|start| bytes[start..][..4].fill(0));
        bytes.split_off(20)
    };
    // Of the first, what was written after the compaction: what that copies is its own business. Of the batches,
    // what is in a segment with the same number: each record in a batch has a checksum, too.
    for (name, write, numbers) in
        [("closed", write as fn(&KvStore), &[3, 6][..]), ("batches", write_batches, &[1])]
    {
        let (golden, dir) = (golden(name), TempDir::new().unwrap());
        write(&options().open(dir.path()).unwrap());
        let today = segments(dir.path());
        let skipped = if name == "closed" { today.len() - numbers.len() } else { 0 };
        for (number, today) in numbers.iter().zip(&today[skipped..]) {
            let golden = golden.path().join(format!("000000000{number}.seg"));
            assert!(common(&golden) == common(today), "{}", golden.display());
        }
    }
}

/// Opening it fails with this file and these words, and changes nothing.
fn is_refused(dir: &Path, name: &str, message: &str) {
    let before = content(dir);
    let error = KvStore::open(dir).map(drop).unwrap_err().to_string();
    assert!(error.contains(name) && error.contains(message), "{error}");
    assert_eq!(content(dir), before);
}

#[test]
fn a_later_manifest_or_segment_is_refused_by_name() {
    let dir = golden("closed");
    let path = dir.path().join("MANIFEST");
    let text = fs::read_to_string(&path).unwrap();
    let (body, _) = text.split_once("crc ").unwrap();
    let body = body.replacen("manifest 1", &format!("manifest {}", later()), 1);
    let crc = crc32fast::hash(body.as_bytes());
    fs::write(&path, format!("{body}crc {crc:08x}\n")).unwrap();
    is_refused(dir.path(), "MANIFEST", "a store of format 3");
    fs::write(&path, text).unwrap();

    let path = segments(dir.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4] = later();
    let crc = crc32fast::hash(&bytes[..16]);
    bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    is_refused(dir.path(), name, "a segment of format 3");
}

#[test]
fn checks_run_beside_each_other_and_not_beside_an_owner() {
    let dir = golden("closed");
    let reads = RealDisk.claim(dir.path(), Access::Read).unwrap();
    let check = || kvs(&["check"]).arg(dir.path()).assert();
    check().success().stdout(contains("26 keys"));
    assert!(matches!(KvStore::open(dir.path()), Err(KvsError::InUse { .. })));
    reads.release();
    let _owner = kvs_server(&[], &dir);
    check().code(1).stderr(contains("in use by another store"));
}
