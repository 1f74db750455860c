//! What recovery makes of the end of a segment of a store that was not closed, before a restart and after it, and
//! what is saved of a damaged one.

use crate::*;
use kvs_test_kit::simulated::damage::{is_noticed, salvaged, store, without};
use kvs_test_kit::simulated::workload::{Model, key, open, open_os, options};

/// Every "\u{1}" of a value looks like the header of a very long record.
#[test]
fn a_torn_tail_that_looks_like_headers_does_not_keep_the_store_from_opening() {
    let disk = SimulatedDisk::new();
    let store = open_os(&disk).unwrap();
    set(&store, "a", "1");
    let disk = killed(&disk, &[]);
    let mut torn = disk.content(&segment()).unwrap();
    torn.extend(vec![1; 1 << 20]);
    torn.extend(b"\x01\x00".repeat(1 << 18));
    disk.set_content(&segment(), torn);
    for session in [0, 1] {
        disk.set_session(Some(session));
        let store = open(&disk.snapshot()).unwrap();
        assert_eq!(store.get("a".into()).unwrap().unwrap(), "1");
    }
}

#[test]
fn what_the_disk_cannot_read_costs_the_records_there() {
    let (disk, _) = store(1, 40);
    for number in 0.. {
        disk.fail(number, ErrorKind::Other);
        match salvaged(&disk) {
            Ok((_, found)) if found.is_empty() => return assert!(number > 10),
            Ok((saved, found)) => assert_eq!(saved, without(&disk, &found).0, "{found:?}"),
            Err(error) => assert!(matches!(error, KvsError::File { .. }), "{error}"),
        }
    }
}

#[test]
fn without_its_manifest_or_a_segment_a_store_is_saved_in_its_true_order() {
    let disk = SimulatedDisk::new();
    let store = open(&disk).unwrap();
    let mut model = Model::new();
    let mut set = |key: usize, value: &str| {
        store.set(format!("key{key}"), value.to_owned()).unwrap();
        model.insert(format!("key{key}"), value.to_owned());
    };
    (0..5).for_each(|key| set(key, "old"));
    let written = disk.content(&segment()).unwrap();
    store.compact().unwrap();
    set(1, "new");
    store.remove(key(2)).unwrap();
    model.remove(&key(2));
    drop(store);
    let path = |number| Path::new(DIR).join(format!("{number:010}.seg"));
    disk.set_content(&path(9), disk.content(&path(2)).unwrap());
    let (saved, found) = salvaged(&disk).unwrap();
    assert_eq!(saved, model);
    assert!(found[0].2.contains("the manifest does not name it"), "{found:?}");
    disk.delete(&path(9));
    disk.delete(&Path::new(DIR).join("MANIFEST"));
    assert_eq!(salvaged(&disk).unwrap().0, model);
    // What a compaction that was killed has not deleted yet.
    disk.set_content(&path(1), written.clone());
    let (saved, found) = salvaged(&disk).unwrap();
    assert_eq!(saved, model);
    assert!(found[0].2.contains("it is missing; all segments are read"), "{found:?}");
    disk.delete(&path(2));
    disk.delete(&path(1000));
    let old = (0..5).map(|number| (key(number), "old".to_owned())).collect();
    assert_eq!(salvaged(&disk).unwrap().0, old);
    disk.delete(&path(1));
    assert!(salvaged(&disk).is_err());
}

fn segment() -> PathBuf {
    Path::new(DIR).join("0000000001.seg")
}

/// Where the first record is.
const FIRST: usize = 20;
/// Bytes of a record before its key.
const HEADER: usize = 15;

fn set(store: &KvStore, key: &str, value: &str) {
    store.set(key.into(), value.into()).unwrap();
}

/// The disk of a store whose process was killed, with some bytes of its segment flipped.
fn killed(disk: &SimulatedDisk, flipped: &[usize]) -> SimulatedDisk {
    let disk = disk.after_kill(disk.changes());
    let mut bytes = disk.content(&segment()).unwrap();
    flipped.iter().for_each(|at| bytes[*at] ^= 1);
    disk.set_content(&segment(), bytes);
    disk
}

/// With how many bytes of a torn tail.
fn is_cut(disk: &SimulatedDisk, torn: usize, keys: u64) {
    let report = check(disk, Path::new(DIR)).unwrap();
    assert_eq!((report.torn_bytes, report.keys), (torn as u64, keys));
    assert_eq!(open_os(&disk.snapshot()).unwrap().stats().keys, keys);
}

fn is_damaged_at(disk: &SimulatedDisk, expected: usize) {
    is_damaged(open_os(disk), &segment(), expected);
}

#[test]
fn every_record_behind_a_sync_vouches_for_what_is_before_the_sync_and_for_no_more() {
    let disk = SimulatedDisk::new();
    let store = open_os(&disk).unwrap();
    set(&store, "a", "1");
    store.sync().unwrap();
    set(&store, "b", "2");
    set(&store, "c", "3");
    disk.set_session(Some(1));
    let second = FIRST + HEADER + 2;
    // Only the last record is left, and it ends where the file does.
    is_damaged_at(&killed(&disk, &[FIRST, second]), FIRST);
    let store = open_os(&killed(&disk, &[second])).unwrap();
    assert_eq!(store.get("a".into()).unwrap().unwrap(), "1");
    assert_eq!(store.stats().keys, 1);
}

#[test]
fn a_value_full_of_what_looks_like_headers_does_not_hide_damage() {
    // What is before "v" has the form of a header: of a record that reaches far, with a value of 96
    // bytes, written when the first 21 bytes were durable.
    let header = "\0\0\0\0\u{15}\0\0\0`\0\0\0\0\0\u{1}";
    let disk = SimulatedDisk::new();
    let store = open_os(&disk).unwrap();
    set(&store, "a", &(header.repeat(4) + &"v".repeat(100)));
    store.sync().unwrap();
    set(&store, "b", "2");
    disk.set_session(Some(1));
    is_damaged_at(&killed(&disk, &[FIRST]), FIRST);
}

/// Three records that were not synced. The last one is of this length.
fn three() -> (SimulatedDisk, Vec<u8>, usize) {
    let (disk, value) = (SimulatedDisk::new(), "a value of some length");
    let store = open_os(&disk).unwrap();
    ["a", "b", "c"].iter().for_each(|key| set(&store, key, value));
    let bytes = disk.content(&segment()).unwrap();
    (disk.after_kill(disk.changes()), bytes, HEADER + 1 + value.len())
}

#[test]
fn before_a_restart_a_torn_tail_is_the_beginning_of_a_record_and_nothing_behind_it() {
    let (disk, bytes, last) = three();
    let third = bytes.len() - last;
    for end in third..bytes.len() {
        for zeros in [0, 1, last, 5_000] {
            let mut torn = bytes[..end].to_vec();
            torn.resize(end + zeros, 0);
            disk.set_content(&segment(), torn.clone());
            let torn_bytes = torn.iter().rposition(|byte| *byte != 0).unwrap() + 1 - third;
            is_cut(&disk, torn_bytes, 2);
            torn.resize(bytes.len(), 0);
            disk.set_content(&segment(), [&*torn, b"!"].concat());
            is_damaged(check(&disk, Path::new(DIR)), &segment(), third);
            is_damaged_at(&disk.snapshot(), third);
        }
    }
    // All of a record is there, and its last byte is not what it was.
    is_damaged_at(&killed(&three().0, &[bytes.len() - 1]), third);
}

#[test]
fn after_a_restart_in_a_copy_and_where_the_disk_cannot_tell_it_is_what_was_not_synced() {
    let (disk, bytes, _) = three();
    let bad = killed(&disk, &[FIRST]);
    is_damaged_at(&bad, FIRST);
    for session in [Some(1), None] {
        let bad = bad.snapshot();
        bad.set_session(session);
        is_cut(&bad, bytes.len() - FIRST, 0);
    }
    let copy = Path::new("/copy");
    bad.copy_dir(Path::new(DIR), copy);
    assert_eq!(options(&bad).open(copy).unwrap().stats().keys, 0);
    // From its first open on it is in the new session.
    disk.set_session(Some(1));
    let store = open_os(&disk).unwrap();
    set(&store, "d", "4");
    set(&store, "e", "5");
    is_damaged_at(&killed(&disk, &[bytes.len()]), bytes.len());
    // Where the manifest can't be made, written, synced or renamed, it is not, and reads go on.
    disk.set_session(Some(2));
    let opens = |at: &usize| {
        let disk = disk.after_kill(disk.changes());
        let at = disk.fail(*at, ErrorKind::StorageFull);
        let opened = open_os(&disk);
        opened.is_ok_and(|store| store.stats().keys == 5 && disk.operations() > at + 1)
    };
    assert_eq!((0..30).filter(opens).count(), 4);
}

/// A mount is what tells them apart.
#[test]
fn what_a_power_loss_leaves_is_refused_where_it_cannot_have_been_one() {
    let (disk, ..) = three();
    let mut refused = 0;
    for seed in 0..100 {
        let cut = disk.after_power_loss(disk.changes(), &mut StdRng::seed_from_u64(seed));
        let same = cut.snapshot();
        same.set_session(Some(0));
        open_os(&cut).unwrap();
        match open_os(&same) {
            Err(KvsError::Damaged { path, .. }) if path == segment() => refused += 1,
            opened => assert_eq!(opened.unwrap().stats().keys, open_os(&cut).unwrap().stats().keys),
        }
    }
    assert!((20..95).contains(&refused), "{refused}");
}

/// What is behind an end at once, the promise `damage` tries.
#[test]
fn zeros_behind_an_end_that_the_manifest_names_are_no_damage_and_anything_behind_them_is() {
    let (disk, model) = store(1, 40);
    for path in
        disk.files().into_iter().filter(|path| path.extension().is_some_and(|name| name == "seg"))
    {
        // As many as may be reserved, and more than are read at a time.
        let mut longer = disk.content(&path).unwrap();
        longer.resize(longer.len() + (4 << 20), 0);
        disk.set_content(&path, longer.clone());
        assert_eq!(is_noticed(&disk, &model, &path, 0), Ok(false));
        check(&disk, Path::new(DIR)).unwrap();
        let bad = disk.snapshot();
        bad.set_content(&path, [&*longer, b"!"].concat());
        assert_eq!(is_noticed(&bad, &model, &path, longer.len()), Ok(true));
    }
}

#[test]
fn a_write_that_panicked_is_behind_no_end_that_the_manifest_names() {
    for at in 0..2 {
        let disk = SimulatedDisk::new();
        let options = KvStoreOptions::new().background(false).disk(disk.clone());
        let store = options.durability(Durability::Always).open(DIR).unwrap();
        // Of all that can fail, so that no space is reserved.
        disk.fail(at, ErrorKind::Unsupported);
        disk.during_next_sync(|| panic!("a sync panics, as this test wants"));
        let panicked = store.set("a".to_owned(), "1".to_owned()).unwrap_err();
        assert!(panicked.to_string().contains("panicked"), "at {at}: {panicked}");
        drop(store);
        assert_eq!(open(&disk.snapshot()).unwrap().stats().keys, 0);
    }
}

/// A store that was closed, with its manifest put back as it was before more was written.
#[test]
fn what_was_written_after_the_manifest_is_not_taken_for_a_leftover() {
    let disk = SimulatedDisk::new();
    let store = open(&disk).unwrap();
    set(&store, "a", "1");
    store.compact().unwrap();
    set(&store, "b", "2");
    drop(store);
    let path = Path::new(DIR).join("MANIFEST");
    let old = disk.content(&path).unwrap();
    // Into the same segment; and more than that has room for.
    let older = "the manifest is older than this; all segments are read";
    for (length, name, at, said) in [
        (1, "0000001000.seg", FIRST + HEADER + 2, &[][..]),
        (400, "0000002000.seg", FIRST, &[older]),
    ] {
        let disk = disk.snapshot();
        set(&open(&disk).unwrap(), "c", &"3".repeat(length));
        let new = disk.content(&path).unwrap();
        disk.set_content(&path, old.clone());
        let newest = Path::new(DIR).join(name);
        is_damaged(check(&disk, Path::new(DIR)), &newest, at);
        is_damaged(open(&disk.snapshot()), &newest, at);
        let back = disk.snapshot();
        back.set_content(&path, new);
        assert_eq!(open(&back).unwrap().stats().keys, 3);
        let (saved, found) = salvaged(&disk).unwrap();
        assert_eq!(saved.len(), 3);
        assert_eq!(found.into_iter().map(|(.., reason)| reason).collect::<Vec<_>>(), said);
        let bad = disk.snapshot();
        bad.set_content(&newest, vec![1; FIRST + 1]);
        is_damaged(open(&bad), &newest, 0);
    }
}

#[test]
fn what_has_no_manifest_is_no_store_or_has_lost_it() {
    let disk = SimulatedDisk::new();
    drop(open(&disk).unwrap());
    let manifest = Path::new(DIR).join("MANIFEST");
    disk.delete(&manifest);
    // As if the power had failed before the first manifest.
    let files = disk.files();
    assert!(matches!(check(&disk, Path::new(DIR)), Err(KvsError::NoStore { .. })));
    assert_eq!(disk.files(), files);
    open(&disk).unwrap().set("k".to_owned(), "v".to_owned()).unwrap();
    disk.delete(&manifest);
    is_damaged(check(&disk, Path::new(DIR)), &manifest, 0);
    is_damaged(open(&disk), &manifest, 0);
}
