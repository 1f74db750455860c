//! Every flipped bit, every missing end and every byte too many of a store that was closed in good order.

use kvs_final::disk::{Fault, SimulatedDisk};
use kvs_final::{Durability, KvStoreOptions, KvsEngine, KvsError, check};
use kvs_test_kit::simulated::damage::{Damage, Kind, is_noticed, store};
use kvs_test_kit::simulated::salvage::{overwritten, salvaged, without};
use kvs_test_kit::simulated::workload::{DIR, Model, Step, holds, is_damaged, key, open, run};
use kvs_test_kit::size::pick;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

#[test]
fn every_flipped_bit_missing_end_and_byte_too_many_is_noticed_and_found() {
    let (more, least) = pick((0, 4_000), (40, 8_000));
    let counts = Damage::to_a_store(1, more).everywhere().unwrap();
    println!("flipped bits, missing ends and bytes too many that were noticed: {counts:?}");
    assert!(counts[0] >= least && counts[1..] == [counts[0] / 8; 2], "{counts:?}");
}

#[test]
fn damage_that_no_checksum_covers_is_noticed() {
    let stranger = Path::new(DIR).join("stranger");
    for kind in [Kind::Bit, Kind::Cut, Kind::Behind] {
        let error = Damage::to_a_store(1, 0).to_a_file(&stranger, kind).unwrap_err();
        assert!(error.ends_with(&format!("stranger, {kind:?} 0 was not noticed")), "{error}");
    }
}

/// And so is damage that is said to be in another place than it is.
#[test]
fn damage_that_is_found_elsewhere_is_noticed() {
    let Damage { disk, model } = Damage::to_a_store(1, 0);
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
    let store = options.durability(Durability::Always).open(DIR).unwrap();
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
            is_damaged(open(), &path, *start);
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
fn opening_a_store_many_times_leaves_no_files_behind() {
    let (disk, model) = store(7, 0);
    let before = disk.files();
    for _ in 0..50 {
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

#[test]
fn what_is_outside_of_damage_is_saved_and_what_is_in_a_value_is_no_record() {
    let given_up = overwritten(0, 300, false).unwrap();
    println!("{given_up} undamaged records behind 300 damaged places were given up");
    assert!(given_up < 60, "{given_up}");
    assert!(overwritten(0, 10, true).unwrap_err().contains("forged"));
}

#[test]
fn what_the_disk_cannot_read_costs_the_records_there() {
    let (disk, _) = store(1, 40);
    for number in 0.. {
        let (at, error) = (disk.operations() + number, ErrorKind::Other);
        disk.set_fault(Some(Fault { at, forever: false, error, short_write: false }));
        match salvaged(&disk) {
            Ok((_, found)) if found.is_empty() => return assert!(number > 10),
            Ok((saved, found)) => assert_eq!(saved, without(&disk, &found).0, "{found:?}"),
            Err(error) => assert!(matches!(error, KvsError::File { .. }), "{error}"),
        }
    }
}

/// A compaction's copies have higher numbers than what is written while it runs.
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
    let written = disk.content(&Path::new(DIR).join("0000000001.seg")).unwrap();
    store.compact().unwrap();
    set(1, "new");
    store.remove(key(2)).unwrap();
    model.remove(&key(2));
    drop(store);
    let path = |number| Path::new(DIR).join(format!("{number:010}.seg"));
    disk.set_content(&path(9), disk.content(&path(3)).unwrap());
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
    disk.delete(&path(3));
    let old = (0..5).map(|number| (key(number), "old".to_owned())).collect();
    assert_eq!(salvaged(&disk).unwrap().0, old);
    disk.delete(&path(1));
    assert!(salvaged(&disk).is_err());
}
