//! What is durable, and from when on; and the end of all writing.

use super::{DIR, key, new, open, open_os, options};
use crate::disk::SimulatedDisk;
use crate::kv_store::compaction::plan::Goal;
use crate::{Durability, KvStore, KvsEngine};
use kvs_test_kit::until;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Duration;

#[test]
fn at_level_interval_a_write_becomes_safe_although_nobody_asks_for_it() {
    let disk = SimulatedDisk::new();
    let options = options(&disk).durability(Durability::Interval(Duration::from_millis(1)));
    let store = options.background(true).open(DIR).unwrap();
    for number in 0..10 {
        store.set(key(number), "value".into()).unwrap();
        until("it is synced", || disk.is_durable());
        let image = disk.after_power_loss(disk.changes(), &mut StdRng::seed_from_u64(0));
        assert_eq!(open(&image).unwrap().get(key(number)).unwrap().unwrap(), "value");
    }
}

#[test]
fn what_is_written_in_the_course_of_a_sync_is_safe_only_after_the_next_one() {
    let (disk, store) = new(Durability::Os);
    store.set(key(0), "before".into()).unwrap();
    let same = store.clone();
    disk.during_next_sync(move || same.set(key(1), "meanwhile".into()).unwrap());
    store.sync().unwrap();
    assert!(!disk.is_durable(), "it came too late for this one");
    store.sync().unwrap();
    assert!(disk.is_durable());
}

/// An error at one operation after the other of an open. A second sync would not tell of what the first has lost, so
/// that of a long segment, which comes while it is read, fails the open as well.
#[test]
fn a_store_opens_although_its_manifest_cannot_say_so_or_an_unused_hint_not_be_deleted_and_for_no_other_error()
 {
    // Of a store that was closed the manifest is made, written, synced and renamed, or goes on to name the end of the
    // newest segment; what is behind that end would be damage.
    for (is_closed, len, error, ignored) in [
        (true, 0, ErrorKind::StorageFull, 4),
        (true, 9, ErrorKind::StorageFull, 4),
        (false, 9, ErrorKind::Other, 1),
        (false, 2 << 20, ErrorKind::Other, 1),
    ] {
        let disk = SimulatedDisk::new();
        let store = options(&disk).segment_bytes(3 << 20).open(DIR).unwrap();
        (0..usize::from(len > 0))
            .for_each(|number| store.set(key(number), "v".repeat(len)).unwrap());
        let (killed, keys) = (disk.snapshot(), store.stats().keys);
        drop(store);
        killed.set_content(&Path::new(DIR).join("0000000077.hint"), Vec::new());
        let left = if is_closed { disk } else { killed };
        let opens = |at: &usize| {
            let disk = left.snapshot();
            let failing = disk.fail(*at, error);
            let Ok(store) = open(&disk) else { return false };
            if disk.operations() <= failing + 1 {
                return false;
            }
            assert_eq!(store.stats().keys, keys);
            if is_closed {
                // The rotation that the first write needs fails, too: but for the syncs, of which that ends all writing.
                disk.fail(2 + at % 4, error);
                store.set(key(9), "too early".into()).unwrap_err();
            }
            disk.set_fault(None);
            store.set(key(9), "later".into()).unwrap();
            let again = open(&disk.after_kill(disk.changes())).unwrap();
            assert_eq!(again.get(key(9)).unwrap().unwrap(), "later");
            true
        };
        assert_eq!((0..40).filter(opens).count(), ignored, "{is_closed}, {len} bytes");
    }
}

/// Or else the next segment would pass for synced as far as the one before it was.
#[test]
fn a_sync_in_whose_course_a_segment_is_sealed_says_nothing_of_the_next_one() {
    let (disk, store) = new(Durability::Os);
    (0..5).for_each(|number| store.set(key(number), "value".into()).unwrap());
    let same = store.clone();
    disk.during_next_sync(move || {
        let sealer = same.clone();
        thread::spawn(move || sealer.0.log.seal(false).unwrap());
        // It keeps the tail, and waits for this sync.
        until("it has the tail", || same.0.log.tail.try_lock().is_err());
    });
    store.sync().unwrap();
    assert_eq!(store.stats().segments, 2);
    store.set(key(0), "later".into()).unwrap();
    store.sync().unwrap();
    assert!(disk.is_durable(), "the sync has done nothing");
}

#[test]
fn a_compaction_that_drops_an_old_value_makes_the_new_one_safe_before() {
    let (disk, store) = new(Durability::Os);
    store.set("k".into(), "old".into()).unwrap();
    store.0.log.seal(false).unwrap();
    // It is in the segment that is written to, which this compaction leaves alone.
    store.set("k".into(), "new".into()).unwrap();
    assert!(store.0.compactor.do_step(&Goal::Space).unwrap());
    for seed in 0..100 {
        let image = disk.after_power_loss(disk.changes(), &mut StdRng::seed_from_u64(seed));
        assert_eq!(open_os(&image).unwrap().get("k".into()).unwrap().unwrap(), "new");
    }
}

static STORE: OnceLock<KvStore> = OnceLock::new();
static SEEN: Mutex<Vec<bool>> = Mutex::new(Vec::new());

/// Looks, when the log says why `STORE` has stopped, whether it has.
struct Witness;

impl log::Log for Witness {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, line: &log::Record<'_>) {
        if line.args().to_string().ends_with("the first reason") {
            SEEN.lock()
                .unwrap()
                .push(STORE.get().unwrap().0.log.catalog.stopped.reason().is_some());
        }
    }

    fn flush(&self) {}
}

/// Whoever takes log lines may take any time for one.
#[test]
fn writing_has_ended_when_the_log_says_so_and_it_says_so_once() {
    log::set_logger(&Witness).unwrap();
    log::set_max_level(log::LevelFilter::Error);
    let store = STORE.get_or_init(|| open(&SimulatedDisk::new()).unwrap());
    for reason in ["the first reason", "another"] {
        let stopped = store.0.log.catalog.stopped.stop(reason.to_owned()).to_string();
        assert!(stopped.ends_with("the first reason"), "{stopped}");
    }
    assert_eq!(*SEEN.lock().unwrap(), [true]);
}
