//! The engine: what callbacks may do and are told, stores that are long enough to be replayed by several
//! threads, what a compaction leaves behind, and what ends all writing.

use crate::*;
use kvs_final::disk::Fault;
use kvs_final::{Stats, Write};
use kvs_test_kit::expected::Expected;
use kvs_test_kit::simulated::workload::{
    self, COMPACT_AT, Model, Step, key, open_os, run_with, script,
};

fn open(disk: &SimulatedDisk) -> Result<KvStore> {
    let options = KvStoreOptions::new().durability(Durability::Always);
    options.segment_bytes(500).compact_at(300).disk(disk.clone()).open(Path::new("/store"))
}

/// As the README shows it.
fn embed(dir: &Path) -> kvs_final::Result<Option<String>> {
    use kvs_final::{Durability, KvStoreOptions, KvsEngine};

    // `KvStore::open(dir)` is the same with the default options. The directory is made if need be.
    let store = KvStoreOptions::new().durability(Durability::Always).open(dir)?;

    // A clone is the same store, for another thread.
    let clone = store.clone();
    let writer = thread::spawn(move || clone.set("animal".to_owned(), "crab".to_owned()));
    writer.join().unwrap()?;

    // When the last clone is dropped, the store is closed.
    store.get("animal".to_owned())
}

#[test]
fn the_store_that_the_readme_embeds_keeps_what_another_thread_has_written() {
    let dir = TempDir::new().unwrap();
    assert_eq!(embed(&dir.path().join("new")).unwrap().as_deref(), Some("crab"));
}

/// Both kinds of writers at once, rotations and compactions among them, and the disk fails somewhere.
#[test]
fn what_was_acknowledged_is_there_wherever_the_disk_fails_and_every_writer_is_told() {
    let (mut runs, mut stopped) = (0, 0);
    for at in 0..300 {
        let disk = SimulatedDisk::new();
        let (forever, short_write) = (at % 2 == 0, at % 3 == 0);
        disk.set_fault(Some(Fault { at, forever, error: ErrorKind::Other, short_write }));
        let Ok(store) = open(&disk) else { continue };
        runs += 1;
        let (said, results) = mpsc::channel();
        for number in 0..40 {
            let key = key(number % 7);
            let said = said.clone();
            if number % 5 == 4 {
                said.send((number, store.set(key, number.to_string()))).unwrap();
            } else {
                store.set_then(key, number.to_string(), move |result| {
                    said.send((number, result)).unwrap();
                });
            }
        }
        drop((store, said));
        let mut results: Vec<(usize, Result<()>)> = results.iter().collect();
        assert_eq!(results.len(), 40, "fault {at}");
        results.sort_by_key(|(number, _)| *number);
        let mut expected = Expected::default();
        for (number, result) in &results {
            expected.note(&key(number % 7), Some(number.to_string()), result.is_ok());
        }
        let is_stopped = |result: &Result<()>| matches!(result, Err(KvsError::Stopped { .. }));
        stopped += usize::from(results.iter().any(|(_, result)| is_stopped(result)));
        disk.set_fault(None);
        for seed in 0..4 {
            let image = disk.after_power_loss(disk.changes(), &mut StdRng::seed_from_u64(seed));
            let store = open(&image).unwrap();
            let checked = expected.check(|key| store.get(key));
            checked.unwrap_or_else(|error| panic!("fault {at}, after power loss {seed}: {error}"));
        }
    }
    assert!(stopped > 0 && runs > 100, "{runs} runs, {stopped} of which ended all writing");
}

#[test]
fn a_callback_may_hold_the_last_handle_and_nothing_queued_is_lost() {
    let dir = TempDir::new().unwrap();
    let options = KvStoreOptions::new().durability(Durability::Always);
    let store = options.clone().open(dir.path()).unwrap();
    let (entered, is_entered) = mpsc::channel();
    let (open_gate, gate) = mpsc::channel::<()>();
    let (said, results) = mpsc::channel();
    let handle = store.clone();
    store.set_then("first".into(), "v".into(), move |result| {
        result.unwrap();
        entered.send(()).unwrap();
        gate.recv().unwrap();
        drop(handle);
    });
    is_entered.recv().unwrap();
    for number in 0..10 {
        let said = said.clone();
        store.set_then(format!("late{number}"), "v".into(), move |result| {
            said.send(result).unwrap();
        });
    }
    drop((store, said));
    open_gate.send(()).unwrap();
    assert_eq!(results.iter().map(Result::unwrap).count(), 10);
    let store = options.open(dir.path()).unwrap();
    assert_eq!(store.stats().keys, 11);
}

#[test]
fn a_burst_that_makes_much_dead_is_compacted_although_nobody_writes_after_it() {
    let disk = SimulatedDisk::new();
    let store = open(&disk).unwrap();
    let (said, results) = mpsc::channel();
    for number in 0..200 {
        let said = said.clone();
        let done = move |result: Result<()>| said.send(result).unwrap();
        store.set_then("k".into(), number.to_string(), done);
    }
    drop(said);
    assert_eq!(results.iter().map(Result::unwrap).count(), 200);
    // The thread that compacts is told after the last batch.
    while store.stats().compactions == 0 {
        thread::yield_now();
    }
    assert_eq!(store.get("k".into()).unwrap(), Some("199".into()));
}

#[test]
fn a_round_is_one_write_and_one_sync() {
    let disk = SimulatedDisk::new();
    let open = || workload::options(&disk).segment_bytes(100_000).background(true).open(DIR);
    let mut store = Some(open().unwrap());
    let write = |number| Write::Set { key: key(number), value: "value".to_owned() };
    run_with(&Step::Write(write(0)), &mut store, open).unwrap();
    let before = disk.changes();
    run_with(&Step::Round((0..6).map(write).collect()), &mut store, open).unwrap();
    assert_eq!(disk.changes() - before, 2);
}

/// Of the stores that are replayed.
const KEYS: usize = 3_000;

fn open_large(disk: &SimulatedDisk) -> Result<KvStore> {
    let options = KvStoreOptions::new().durability(Durability::Os).background(false);
    options.segment_bytes(200_000).disk(disk.clone()).open(DIR)
}

/// Overwrites and removals in no order, in several segments, and then the end of the process.
fn killed(seed: u64) -> (SimulatedDisk, Model, Stats) {
    let disk = SimulatedDisk::new();
    let store = open_large(&disk).unwrap();
    let (mut model, mut random) = (Model::new(), StdRng::seed_from_u64(seed));
    for number in 0..20_000 {
        let key = key(random.random_range(0..KEYS));
        if random.random_range(0..4) == 0 {
            assert_eq!(store.remove(key.clone()).is_ok(), model.remove(&key).is_some());
        } else {
            store.set(key.clone(), number.to_string()).unwrap();
            model.insert(key, number.to_string());
        }
    }
    (disk.after_kill(disk.changes()), model, store.stats())
}

#[test]
fn of_every_key_the_last_record_counts() {
    for seed in 0..3 {
        let (disk, model, before) = killed(seed);
        let store = open_large(&disk).unwrap();
        for number in 0..KEYS {
            let found = store.get(key(number)).unwrap();
            assert_eq!(found.as_ref(), model.get(&key(number)), "seed {seed}, key {number}");
        }
        assert_eq!(store.stats(), before);
    }
}

#[test]
fn damage_is_named_wherever_it_is() {
    let (disk, _, _) = killed(3);
    for name in ["0000000001.seg", "0000001000.seg"] {
        let path = Path::new(DIR).join(name);
        let good = disk.content(&path).unwrap();
        let middle = good.len() / 2;
        let found = good[middle..].windows(3).position(|bytes| bytes == b"key");
        let at = middle + found.unwrap();
        let mut bad = good.clone();
        bad[at] ^= 1;
        disk.set_content(&path, bad);
        is_damaged(open_large(&disk), &path, at - 15);
        disk.set_content(&path, good);
    }
    open_large(&disk).unwrap();
}

#[test]
fn a_record_longer_than_what_is_read_at_a_time_is_found() {
    let disk = SimulatedDisk::new();
    let long = "v".repeat(3 << 20);
    for _ in 0..2 {
        let store = open_large(&disk).unwrap();
        store.set("long".into(), long.clone()).unwrap();
        store.set("short".into(), "value".into()).unwrap();
        store.compact().unwrap();
        drop(store);
        let store = open_large(&disk).unwrap();
        assert_eq!(store.get("long".into()).unwrap().unwrap(), long);
        assert_eq!(store.get("short".into()).unwrap().unwrap(), "value");
    }
}

#[test]
fn a_compaction_leaves_no_reason_for_the_next() {
    for seed in 0..20 {
        let disk = SimulatedDisk::new();
        let open = || workload::options(&disk).compact_at(100).spare_segments(1).open(DIR);
        let mut store = Some(open().unwrap());
        let mut times = 0;
        for step in script(seed, 300) {
            run_with(&step, &mut store, open).unwrap();
            let store = store.as_ref().unwrap();
            if store.compact_if_due().unwrap() {
                assert!(!store.compact_if_due().unwrap(), "seed {seed}, {step:?}");
                times += 1;
            }
        }
        assert!(times > 5, "seed {seed}: {times}");
    }
}

/// That there is something to crash in.
#[test]
fn the_scripts_have_rotations_compactions_of_all_segments_and_of_some_and_comparisons_in_rounds() {
    let disk = SimulatedDisk::new();
    let open = || workload::options(&disk).compact_at(COMPACT_AT).open(DIR);
    let segments = || {
        let mut files = disk.files();
        files.retain(|file| file.extension().is_some_and(|end| end == "seg"));
        files
    };
    let mut store = Some(open().unwrap());
    let (mut rotations, mut of_all, mut of_some, mut comparisons) = (0, 0, 0, 0);
    for step in (0..6).flat_map(|seed| script(seed, 120)) {
        let before = segments();
        run_with(&step, &mut store, open).unwrap();
        let after = segments();
        let left = before.iter().filter(|file| after.contains(file)).count();
        match step {
            Step::Round(writes) => {
                let compares = |write: &&Write| matches!(write, Write::CompareAndSet { .. });
                comparisons += writes.iter().filter(compares).count();
            }
            Step::Compact => of_all += usize::from(left == 0),
            Step::CompactIfDue if left < before.len() => of_some += usize::from(left > 0),
            _ => rotations += after.len().saturating_sub(before.len()),
        }
    }
    let counts = [(rotations, 20), (of_all, 8), (of_some, 5), (comparisons, 20)];
    assert!(counts.iter().all(|(count, least)| count >= least), "{counts:?}");
}

fn set(store: &KvStore, number: usize, value: &str) -> Result<()> {
    store.set(key(number), value.to_owned())
}

#[test]
fn after_a_failed_sync_nothing_is_written_until_the_store_is_opened_again() {
    type Open = fn(&SimulatedDisk) -> Result<KvStore>;
    type Write = fn(&KvStore) -> Result<()>;
    // The record fits in the reserved space, so at level `always` it is a write and a sync.
    let cases: [(Open, usize, Write); 3] = [
        (workload::open, 1, |store| set(store, 1, "unsure")),
        (open_os, 0, KvStore::sync),
        (open_os, 0, KvStore::compact),
    ];
    for (open, sync, write) in cases {
        let disk = SimulatedDisk::new();
        let store = open(&disk).unwrap();
        set(&store, 0, "before").unwrap();
        disk.fail(sync, ErrorKind::Other);
        assert!(matches!(write(&store), Err(KvsError::Stopped { .. })));
        disk.set_fault(None);
        let operations = disk.operations();
        for _ in 0..3 {
            assert!(matches!(set(&store, 2, "later"), Err(KvsError::Stopped { .. })));
            assert!(matches!(store.remove(key(0)), Err(KvsError::Stopped { .. })));
            assert!(matches!(store.sync(), Err(KvsError::Stopped { .. })));
            assert!(matches!(store.compact(), Err(KvsError::Stopped { .. })));
            assert_eq!(store.get(key(0)).unwrap().unwrap(), "before");
            assert_eq!(store.get(key(1)).unwrap(), None, "it was never acknowledged");
        }
        assert_eq!(disk.operations(), operations, "the disk was left alone");
        assert!(store.stats().last_error.unwrap().contains("a sync failed"));
        drop(store);
        let store = open(&disk).unwrap();
        assert_eq!(store.get(key(0)).unwrap().unwrap(), "before");
        set(&store, 2, "later").unwrap();
    }
}

/// All that a rotation does fails as on a full disk, one operation after the other.
#[test]
fn only_a_sync_that_fails_for_want_of_space_ends_all_writing() {
    let ends_writing = |number: &usize| {
        let disk = SimulatedDisk::new();
        let store = open_os(&disk).unwrap();
        set(&store, 0, &"v".repeat(360)).unwrap();
        let (at, error) = (disk.operations() + number, ErrorKind::StorageFull);
        disk.set_fault(Some(Fault { at, forever: false, error, short_write: true }));
        assert!(set(&store, 1, "too much").is_err(), "operation {number}");
        match set(&store, 1, "after") {
            Ok(()) => assert_eq!(store.get(key(1)).unwrap().unwrap(), "after"),
            Err(KvsError::Stopped { .. }) => return true,
            Err(other) => panic!("operation {number}: {other}"),
        }
        false
    };
    // Of the old segment, and a look whether it is there; and of the directory, for the manifest.
    assert_eq!((0..17).filter(ends_writing).collect::<Vec<_>>(), [0, 1, 15]);
}
