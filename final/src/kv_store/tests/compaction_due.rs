//! When a compaction starts, and that it leaves no reason for the next one.

use super::{DIR, key, open, options};
use crate::disk::{Fault, SimulatedDisk};
use crate::kv_store::background::compact;
use crate::kv_store::commit::Op;
use crate::kv_store::compaction::plan::Goal;
use crate::kv_store::log::catalog::Sealed;
use crate::sync::INJECTED;
use crate::{Durability, KvStore, KvsEngine, KvsError, Stats, Write};
use crossbeam::channel::{bounded, unbounded};
use kvs_test_kit::until;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

fn is_due(store: &KvStore) -> bool {
    store.0.compactor.is_due()
}

/// A store with a hundred values of `len` bytes in segments of up to 1,000 bytes.
fn filled(disk: &SimulatedDisk, len: usize) -> KvStore {
    let store = options(disk).segment_bytes(1_000).spare_segments(1).open(DIR).unwrap();
    for number in 0..100 {
        store.set(key(number), "v".repeat(len)).unwrap();
        assert!(!is_due(&store), "after {number} writes");
    }
    store
}

#[test]
fn full_segments_of_live_records_are_left_alone() {
    // Small records, records of which only one fits, and records that are longer than a segment.
    for len in [30, 470, 600, 2_000] {
        let disk = SimulatedDisk::new();
        let store = filled(&disk, len);
        let before = store.stats().segments;
        assert!(before >= 5, "{before}");
        store.compact().unwrap();
        assert!(!is_due(&store), "values of {len} bytes");
        assert!(store.stats().segments <= before + 1);
    }
}

#[test]
fn small_segments_are_merged_when_there_are_too_many_by_the_compactor_too() {
    for background in [false, true] {
        let disk = SimulatedDisk::new();
        drop(filled(&disk, 30));
        let open = |spare| options(&disk).segment_bytes(100_000).spare_segments(spare);
        assert!(!is_due(&open(5).open(DIR).unwrap()));
        let store = open(4).background(background).open(DIR).unwrap();
        if !background {
            assert!(is_due(&store) && store.stats().segments == 6);
            store.compact().unwrap();
        }
        until("it is done", || store.stats().compactions == 1 && !is_due(&store));
        assert_eq!(store.stats().segments, 2);
        assert_eq!(store.get(key(99)).unwrap(), Some("v".repeat(30)));
    }
}

/// With a compactor that has begun to work, so that writers wait for it.
fn compacting(disk: &SimulatedDisk) -> KvStore {
    let options = options(disk).durability(Durability::Os).segment_bytes(4000).compact_at(4000);
    let store = options.background(true).open(DIR).unwrap();
    until("it has begun", || store.0.compactor.throttle.is_on());
    store
}

fn value(number: usize) -> String {
    format!("{number:0100}")
}

/// More than there may be, with a record, and what a step has moved but not deleted.
fn exceeds_the_limit(store: &KvStore) -> bool {
    let Stats { live_bytes, garbage_bytes, .. } = store.stats();
    garbage_bytes > live_bytes + 5 * 4000 + 200
}

/// As fast as they come. Returns whether there was more garbage at any time than there may be.
fn overwrites_exceed_the_limit() -> bool {
    let store = compacting(&SimulatedDisk::new());
    // Without a step at all, what isn't slowed down is noticed for certain.
    let is_slowed_down = INJECTED.get().is_empty();
    let running = (!is_slowed_down).then(|| store.0.compactor.running.lock().unwrap());
    let exceeds = (0..3000).any(|number| {
        store.set(key(number % 10), value(number)).unwrap();
        exceeds_the_limit(&store)
    });
    drop(running);
    exceeds
}

#[test]
fn where_no_compaction_is_due_no_writer_waits_for_one() {
    let disk = SimulatedDisk::new();
    let options = options(&disk).durability(Durability::Os).segment_bytes(400);
    let options = options.compact_at(u64::MAX).spare_segments(u32::MAX).background(true);
    let store = options.open(DIR).unwrap();
    (0..200).for_each(|_| store.set(key(0), "v".repeat(100)).unwrap());
    assert_eq!(store.stats().compactions, 0);
}

#[test]
fn writers_wait_for_a_compactor_that_falls_behind() {
    assert!(!overwrites_exceed_the_limit());
    INJECTED.set("writers are not slowed down");
    assert!(overwrites_exceed_the_limit(), "not noticed");
    INJECTED.set("");
}

fn put(store: &KvStore, number: usize) {
    store.0.commit(Op::new(Write::Set { key: key(number), value: value(number) })).unwrap();
}

/// Whether writers wait when a step does the operation `at`, and which operations it does, in a store that `fill` fills.
fn waits_at(at: usize, fill: fn(&KvStore)) -> (bool, Range<usize>) {
    let disk = SimulatedDisk::new();
    let options = options(&disk).durability(Durability::Os).segment_bytes(4000).compact_at(4000);
    let store = options.open(DIR).unwrap();
    let compactor = Arc::clone(&store.0.compactor);
    compactor.throttle.note(true);
    fill(&store);
    assert!(compactor.is_due());
    let (tell, told) = unbounded();
    let (same, first) = (Arc::clone(&compactor), disk.operations());
    disk.before_operation(at, move || tell.send(same.holds_up()).unwrap());
    compactor.do_step(&Goal::Space).unwrap();
    assert!(!compactor.holds_up());
    (told.try_recv().unwrap_or(false), first..disk.operations())
}

#[test]
fn a_writer_that_waits_for_space_waits_until_the_old_segments_are_deleted() {
    let fill = |store: &KvStore| {
        let goes_on = |_: &usize| !store.0.compactor.holds_up();
        (0..10).cycle().take_while(goes_on).for_each(|number| put(store, number));
    };
    let last = waits_at(usize::MAX, fill).1.end - 1;
    assert!(waits_at(last, fill).0);
    INJECTED.set("writers go on before there is space");
    assert!(!waits_at(last, fill).0, "not noticed");
    INJECTED.set("");
}

#[test]
fn where_no_writer_waits_before_a_step_none_waits_in_the_course_of_it() {
    // A bit more garbage than live data: with nothing else in its segments, and beside some live records.
    let fills: [fn(&KvStore); 2] = [
        |store| (0..200).chain(0..200).chain(0..20).for_each(|number| put(store, number)),
        |store| {
            let all = (0..200).chain((0..200).filter(|number| number % 10 > 0)).chain(0..40);
            all.for_each(|number| put(store, number));
        },
    ];
    for fill in fills {
        let operations = waits_at(usize::MAX, fill).1;
        assert!(operations.len() > 10, "{operations:?}");
        let last = operations.end - 1;
        operations.for_each(|at| assert!(!waits_at(at, fill).0, "at {at}"));
        INJECTED.set("live bytes of a step are gone before its garbage");
        assert!(waits_at(last, fill).0, "not noticed");
        INJECTED.set("");
    }
}

#[test]
fn a_round_waits_for_the_compactor_and_its_caller_does_not() {
    let disk = SimulatedDisk::new();
    let store = compacting(&disk);
    // No step before it goes.
    let running = store.0.compactor.running.lock().unwrap();
    let (tell, told) = unbounded();
    for number in 0..1000 {
        let tell = tell.clone();
        store.set_then(key(0), value(number), move |done| tell.send((number, done)).unwrap());
    }
    // As many as there is room for.
    until("some are done", || told.len() > 100);
    assert!(told.len() < 300 && !exceeds_the_limit(&store), "{} are done", told.len());
    drop(running);
    until("there is room for more", || told.len() > 400);
    assert!(store.stats().compactions > 0);
    // The close does the others.
    drop((store, tell));
    let numbers: Vec<_> =
        told.iter().map(|(number, done)| done.map(|()| number).unwrap()).collect();
    assert!(numbers.into_iter().eq(0..1000));
    assert_eq!(open(&disk).unwrap().get(key(0)).unwrap(), Some(value(999)));
}

#[test]
fn a_compaction_that_lacked_space_is_tried_again_soon() {
    let disk = SimulatedDisk::new();
    let store = options(&disk).segment_bytes(1_000).compact_at(100).open(DIR).unwrap();
    for _ in 0..10 {
        store.set(key(0), "v".repeat(30)).unwrap();
    }
    store.0.log.seal(false).unwrap();
    let (at, error) = (disk.operations(), ErrorKind::StorageFull);
    disk.set_fault(Some(Fault { at, forever: true, error, short_write: false }));
    let ((wake, wakes), (stop, stopped)) = (bounded(1), bounded(0));
    let compactor = Arc::clone(&store.0.compactor);
    let delay = Duration::from_millis(1);
    let thread = thread::spawn(move || compact(&compactor, &wakes, &stopped, delay));
    wake.send(()).unwrap();
    // With a delay that doubles, so many would take hours.
    until("many have failed", || disk.operations() > at + 200);
    assert_eq!(store.stats().compactions, 0);
    disk.set_fault(None);
    until("there is space", || store.stats().compactions == 1);
    assert_eq!(store.stats().last_error, None);
    assert_eq!(store.get(key(0)).unwrap(), Some("v".repeat(30)));
    drop(stop);
    thread.join().unwrap();
}

/// One that a flipped bit has damaged, with a live record and garbage.
#[test]
fn beside_a_segment_that_cannot_be_read_garbage_is_bounded_and_removals_stay() {
    let disk = SimulatedDisk::new();
    let store = compacting(&disk);
    let cold = |number: usize| format!("cold{number}");
    (0..20).for_each(|number| store.set(cold(number), value(number)).unwrap());
    store.0.log.seal(false).unwrap();
    let path = store.0.log.catalog.lock().sealed[0].0.path.clone();
    let good = disk.content(&path).unwrap();
    let mut bad = good.clone();
    bad[200] ^= 1;
    disk.set_content(&path, bad);
    (0..19).for_each(|number| store.remove(cold(number)).unwrap());
    for number in 0..3000 {
        store.set(key(number % 10), value(number)).unwrap();
        assert!(!exceeds_the_limit(&store), "after {number} writes");
    }
    // All of these removals stay, so more than there may be: but that's nothing to wait for.
    for number in 0..2000 {
        store.set(cold(1000 + number), value(number)).unwrap();
        store.remove(cold(1000 + number)).unwrap();
    }
    until("nothing is due", || !is_due(&store));
    assert!(store.stats().garbage_bytes > 40_000);
    until("there are steps to wait for", || {
        store.set(key(0), value(0)).unwrap();
        store.0.compactor.throttle.is_on()
    });
    // Not while there's another step.
    let is_told = |error: String| error.contains("0000000001.seg");
    until("the store says so", || store.stats().last_error.is_some_and(is_told));
    assert!(matches!(store.compact(), Err(KvsError::Damaged { .. })));
    drop(store);
    disk.set_content(&path, good);
    let store = open(&disk).unwrap();
    assert_eq!(store.stats().keys, 11, "what was removed is back");
    store.compact().unwrap();
    assert_eq!(store.stats().garbage_bytes, 0);
}

/// How many hints are written when the first step begins that became due with the first read for a hint.
fn hints_before_a_step(segment_bytes: u32, len: usize) -> usize {
    let disk = SimulatedDisk::new();
    let open = |eighths| {
        let options = options(&disk).durability(Durability::Os).compact_at(1);
        options.segment_bytes(segment_bytes).hint_eighths(eighths).open(DIR).unwrap()
    };
    let store = open(0);
    (0..12).for_each(|number| store.set(key(number), "v".repeat(len)).unwrap());
    drop(store);
    let store = open(8);
    store.0.compactor.throttle.note(true);
    let (same, again, (tell, told)) = (store.clone(), disk.clone(), unbounded());
    disk.before_operation(disk.operations(), move || {
        for number in (0..12).cycle() {
            let write = Write::Set { key: key(number), value: "w".repeat(len) };
            same.0.commit(Op::new(write)).unwrap();
            if same.0.compactor.holds_up() {
                break;
            }
        }
        let is_hint = |path: &PathBuf| path.extension().is_some_and(|end| end == "hint");
        let count = again.clone();
        again.during_next_sync(move || {
            let _ = tell.send(count.files().into_iter().filter(is_hint).count());
        });
    });
    assert!(store.compact_if_due().unwrap());
    let is_hinted = |(segment, _): &Sealed| segment.is_hinted.load(Ordering::Relaxed);
    assert!(store.0.log.catalog.lock().sealed.iter().all(is_hinted));
    told.recv().unwrap()
}

#[test]
fn a_step_waits_for_one_short_hint_and_not_for_a_long_one() {
    let written =
        [(4_000, 1_000), (4 << 20, 1 << 20)].map(|(bytes, len)| hints_before_a_step(bytes, len));
    assert_eq!(written, [1, 0]);
}
