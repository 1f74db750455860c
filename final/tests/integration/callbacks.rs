//! Writes that nobody waits for.

use kvs_final::disk::{Fault, SimulatedDisk};
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine, KvsError, Result};
use kvs_test_kit::simulated::workload::{self, DIR, Step, key, run_with};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::mpsc;

fn open(disk: &SimulatedDisk) -> Result<KvStore> {
    let options = KvStoreOptions::new().durability(Durability::Always);
    options.segment_bytes(500).compact_at(300).disk(disk.clone()).open(Path::new("/store"))
}

/// Both kinds of writers at once, rotations and compactions among them, and the disk fails somewhere.
#[test]
fn what_was_acknowledged_is_there_wherever_the_disk_fails_and_every_writer_is_told() {
    let (mut runs, mut stopped, mut images) = (0, 0, 0);
    for at in 0..300 {
        let disk = SimulatedDisk::new();
        let (forever, short_write) = (at % 2 == 0, at % 3 == 0);
        disk.set_fault(Some(Fault { at, forever, error: ErrorKind::Other, short_write }));
        let Ok(store) = open(&disk) else { continue };
        runs += 1;
        let (said, results) = mpsc::channel();
        for number in 0..40 {
            let key = format!("k{}", number % 7);
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
        let results: Vec<(usize, _)> = results.iter().collect();
        assert_eq!(results.len(), 40, "fault {at}");
        stopped +=
            usize::from(results.iter().any(|(_, r)| matches!(r, Err(KvsError::Stopped { .. }))));
        let mut newest: HashMap<usize, usize> = HashMap::new();
        for (number, _) in results.iter().filter(|(_, result)| result.is_ok()) {
            let of_key = newest.entry(number % 7).or_default();
            *of_key = (*of_key).max(*number);
        }
        disk.set_fault(None);
        for seed in 0..4 {
            let image = disk.after_power_loss(disk.changes(), &mut StdRng::seed_from_u64(seed));
            let store = open(&image).unwrap();
            images += 1;
            for (key, number) in &newest {
                let found = store.get(format!("k{key}")).unwrap();
                let found: usize = found.expect("it was acknowledged").parse().unwrap();
                // A later one may have got there although it was answered with an error.
                assert!(found >= *number && found % 7 == *key, "fault {at}: {found}, not {number}");
            }
        }
    }
    println!("writes left behind: {runs} runs, {stopped} ended all writing, {images} images");
    assert!(stopped > 0 && runs > 100);
}

#[test]
fn a_callback_may_hold_the_last_handle_and_nothing_queued_is_lost() {
    let dir = tempfile::tempdir().unwrap();
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
        std::thread::yield_now();
    }
    assert_eq!(store.get("k".into()).unwrap(), Some("199".into()));
}

#[test]
fn what_a_callback_writes_is_one_batch() {
    let disk = SimulatedDisk::new();
    let open = || workload::options(&disk).segment_bytes(100_000).background(true).open(DIR);
    let mut store = Some(open().unwrap());
    let set = |number| Step::Set(key(number), "value".to_owned());
    run_with(&set(0), &mut store, open).unwrap();
    let before = disk.changes();
    run_with(&Step::Batch((0..6).map(set).collect()), &mut store, open).unwrap();
    // The first by itself: two writes and two syncs.
    assert_eq!(disk.changes() - before, 4);
}
