//! Steps of the compactor among writes, in stores of tiny segments, against a map.

use super::{DIR, key, new, open_os, options};
use crate::disk::SimulatedDisk;
use crate::kv_store::compaction::plan::Goal;
use crate::kv_store::format::segment::HEADER;
use crate::kv_store::log::Log;
use crate::sync::INJECTED;
use crate::{Durability, KvStore, KvsEngine, KvsError, Stats, salvage};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

type Model = BTreeMap<String, String>;

const KEYS: usize = 12;

/// Sets or removes a key or, in a batch, a few of them, in the store and in the model.
fn write(store: &KvStore, model: &mut Model, random: &mut StdRng) {
    let change = |random: &mut StdRng| {
        let number: u16 = random.random();
        let value = format!("{number}{}", "v".repeat(random.random_range(0..60)));
        (key(random.random_range(0..KEYS)), (!number.is_multiple_of(3)).then_some(value))
    };
    let changes: Vec<_> = match random.random_range(0..9) {
        0 => (0..3).map(|_| change(random)).collect(),
        _ => vec![change(random)],
    };
    match &changes[..] {
        [(key, Some(value))] => store.set(key.clone(), value.clone()).unwrap(),
        [(key, None)] => match store.remove(key.clone()) {
            Ok(()) | Err(KvsError::KeyNotFound) => {}
            Err(error) => panic!("{error}"),
        },
        _ => store.write_batch(changes.clone()).unwrap(),
    }
    for (key, value) in changes {
        match value {
            Some(value) => model.insert(key, value),
            None => model.remove(&key),
        };
    }
}

fn holds(store: &KvStore, model: &Model, what: &str) -> Result<(), String> {
    for key in (0..KEYS).map(key) {
        let found = store.get(key.clone()).map_err(|error| error.to_string())?;
        if found.as_ref() != model.get(&key) {
            return Err(format!("{what}: {key} is {found:?}, not {:?}", model.get(&key)));
        }
    }
    Ok(())
}

/// The sums by which segments are deleted unread are what the index says.
fn counts(store: &KvStore) -> Result<(), String> {
    let mut live: HashMap<u64, u64> = HashMap::new();
    for (_, entry) in &store.0.index.entries.pin() {
        *live.entry(entry.segment).or_default() += u64::from(entry.len);
    }
    for (segment, end) in &store.0.log.catalog.lock().sealed {
        let live = live.get(&segment.number).copied().unwrap_or_default();
        let counted = u64::from(end - HEADER) - segment.garbage();
        if live != counted {
            return Err(format!("segment {}: {counted} live, not {live}", segment.number));
        }
    }
    Ok(())
}

/// What is found by those who open the store now: after the end of the process, after a power loss at a
/// moment at which all is durable, and where the manifest is lost.
fn later(disk: &SimulatedDisk, model: &Model, random: &mut StdRng) -> Result<(), String> {
    let killed = disk.after_kill(disk.changes());
    holds(&open_os(&killed.snapshot()).unwrap(), model, "after a kill")?;
    let lost = disk.after_power_loss(disk.changes(), random);
    holds(&open_os(&lost).unwrap(), model, "after a power loss")?;
    killed.delete(&Path::new(DIR).join("MANIFEST"));
    let (new, note) = (SimulatedDisk::new(), |_: &Path, _: Range<u64>, _: &str| ());
    let (saved, _) = salvage(&killed, Path::new(DIR), || open_os(&new), note).unwrap();
    holds(&saved, model, "without a manifest")
}

fn steps(seed: u64) -> Result<u64, String> {
    let (mut random, disk) = (StdRng::seed_from_u64(seed), SimulatedDisk::new());
    let mut store = open_os(&disk).unwrap();
    let (model, mut steps) = (Arc::new(Mutex::new(Model::new())), 0);
    for _ in 0..50 {
        for _ in 0..random.random_range(0..12) {
            write(&store, &mut model.lock().unwrap(), &mut random);
        }
        let goal = match random.random_range(0..6) {
            0 => Goal::Merge,
            1 => Goal::All((0..u64::MAX).step_by(1000).take(20).collect()),
            2 => {
                drop(store);
                store = open_os(&disk).unwrap();
                continue;
            }
            _ => Goal::Space,
        };
        if random.random_ratio(1, 20)
            && let Some((segment, _)) = store.0.log.catalog.lock().sealed.first()
        {
            let _ = segment.unreadable.set(KvsError::KeyNotFound);
        }
        // Writes that come in the course of it, and begin the next segment. (Not while the log or
        // the manifest is synced: that thread would wait for itself.)
        let (same, shared) = (store.clone(), Arc::clone(&model));
        let seed = random.random();
        disk.during_next_sync(move || {
            let mut random = StdRng::seed_from_u64(seed);
            let Log { syncing, catalog, .. } = &*same.0.log;
            let is_free = syncing.try_lock().is_ok() && catalog.segments.try_lock().is_ok();
            for _ in 0..random.random_range(0..9) * u8::from(is_free) {
                write(&same, &mut shared.lock().unwrap(), &mut random);
            }
        });
        steps += u64::from(store.0.compactor.do_step(&goal).unwrap());
        disk.during_next_sync(|| ());
        store.sync().unwrap();
        counts(&store)?;
        holds(&store, &model.lock().unwrap(), "at once")?;
        later(&disk, &model.lock().unwrap(), &mut random)?;
    }
    Ok(steps)
}

#[test]
fn steps_among_writes_change_no_answer_now_or_later() {
    let done: u64 = (0..10).map(|seed| steps(seed).unwrap_or_else(|e| panic!("{seed}: {e}"))).sum();
    assert!(done > 200, "{done}");
    for fault in [
        "a removal is dropped although an earlier segment has its key",
        "copies are put at the end of the log",
    ] {
        INJECTED.set(fault);
        let noticed = (0..20).find_map(|seed| steps(seed).err());
        INJECTED.set("");
        assert!(noticed.is_some_and(|error| error.contains("after a kill")), "{fault}");
    }
}

/// An error at one operation after the other of a step, and then all is compacted that may be. Returns how
/// many steps failed.
fn errors_in_a_step() -> Result<usize, String> {
    for at in 0.. {
        let (mut random, disk) = (StdRng::seed_from_u64(0), SimulatedDisk::new());
        let (store, mut model) = (open_os(&disk).unwrap(), Model::new());
        (0..60).for_each(|_| write(&store, &mut model, &mut random));
        // Unread they would be deleted alone.
        while store.0.compactor.do_step(&Goal::Space).unwrap() && disk.changes() < 200 {
            (0..20).for_each(|_| write(&store, &mut model, &mut random));
        }
        store.sync().unwrap();
        let failing = disk.fail(at, ErrorKind::Other);
        let failed = store.0.compactor.do_step(&Goal::All((0..100_000).collect())).is_err();
        disk.set_fault(None);
        if !failed && disk.operations() <= failing {
            return Ok(failing);
        }
        let _ = store.compact();
        holds(&store, &model, "at once")?;
        let lost = disk.after_power_loss(disk.changes(), &mut random);
        for image in [disk.after_kill(disk.changes()), lost] {
            let later = open_os(&image).map_err(|error| format!("refused: {error}"))?;
            holds(&later, &model, "later")?;
        }
    }
    unreachable!()
}

#[test]
fn an_error_anywhere_in_a_step_changes_no_answer_now_or_later() {
    assert!(errors_in_a_step().unwrap() > 20);
    for (fault, noticed) in [
        ("copies are deleted although the manifest may name them", "refused"),
        ("steps go on after half of the entries were moved", "later"),
    ] {
        INJECTED.set(fault);
        let error = errors_in_a_step().unwrap_err();
        INJECTED.set("");
        assert!(error.contains(noticed), "{fault}: {error}");
    }
}

/// Ends all writing in the course of the next sync of the log.
fn stop_in_sync(disk: &SimulatedDisk, store: &KvStore) {
    let (same, again) = (store.clone(), disk.clone());
    disk.during_next_sync(move || match same.0.log.syncing.try_lock() {
        Ok(_) => stop_in_sync(&again, &same),
        Err(_) => drop(same.0.log.catalog.stopped.stop("as this test wants".to_owned())),
    });
}

#[test]
fn a_step_in_whose_course_writing_ends_replaces_no_segment() {
    let (disk, store) = new(Durability::Os);
    (0..20).for_each(|number| store.set(key(number % KEYS), "v".repeat(60)).unwrap());
    let manifest = || disk.content(&Path::new(DIR).join("MANIFEST"));
    let before = manifest();
    stop_in_sync(&disk, &store);
    let failed = store.0.compactor.do_step(&Goal::All((0..100_000).collect()));
    assert!(matches!(failed, Err(KvsError::Stopped { .. })), "{failed:?}");
    assert_eq!(manifest(), before);
}

/// One old segment has a single dead record, and removals of other keys come without end.
#[test]
fn removals_are_dropped_although_an_old_segment_has_garbage() {
    let disk = SimulatedDisk::new();
    let options = options(&disk).durability(Durability::Os).segment_bytes(1000).compact_at(1000);
    let store = options.open(DIR).unwrap();
    let cold = |number: usize| format!("cold{number}");
    (0..30).for_each(|number| store.set(cold(number), "v".repeat(60)).unwrap());
    let (live, mut most) = (store.stats().live_bytes, 0);
    for number in 0..3000 {
        store.set(key(number), "value".to_owned()).unwrap();
        store.remove(key(number)).unwrap();
        if number % 500 == 0 {
            store.set(cold(number / 500), "w".repeat(60)).unwrap();
        }
        store.compact_if_due().unwrap();
        let Stats { live_bytes, garbage_bytes, .. } = store.stats();
        most = most.max(live_bytes + garbage_bytes);
    }
    assert!(most <= 2 * live + 2000, "{most} bytes, of which {live} are live");
    drop(store);
    assert_eq!(open_os(&disk).unwrap().stats().keys, 30);
}
