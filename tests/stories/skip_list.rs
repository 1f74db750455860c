//! The index that loses a key while the key is overwritten.
//!
//! `SkipMap::insert` of crossbeam-skiplist 0.1.3 takes an old entry out before it links the new one.
//! A reader that comes between the two finds nothing, though the key was there all the time
//! (crossbeam's issue 1023, mended there, but not in a published version). papaya's map replaces an
//! entry in one step.
//!
//! And `compare_insert`, which looks like a compare-and-swap, inserts a key that is absent without
//! asking anybody (issue 1167). A compaction that moves entries with it brings back a key that was
//! removed while its record was being copied.

use crossbeam_skiplist::SkipMap;
use papaya::{Compute, Operation};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// How often the key is read, at least.
const READS: u64 = 1_000_000;
/// How often it is overwritten meanwhile, at least.
const OVERWRITES: u64 = 10_000;

/// Reads a key, which is there, while another thread overwrites it. Returns how many reads found
/// nothing.
fn misses(index: &str, finds: impl Fn() -> bool, overwrite: impl Fn() + Sync) -> u64 {
    // `Relaxed`: both are looked at for their own sake. What the threads share is the map's affair.
    let (overwrites, enough) = (AtomicU64::new(0), AtomicBool::new(false));
    let (mut reads, mut misses) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                overwrite();
                overwrites.fetch_add(1, Ordering::Relaxed);
            }
        });
        while reads < READS || overwrites.load(Ordering::Relaxed) < OVERWRITES {
            reads += 1;
            misses += u64::from(!finds());
        }
        enough.store(true, Ordering::Relaxed);
    });
    let overwrites = overwrites.into_inner();
    println!("{index}: {misses} of {reads} reads found nothing, beside {overwrites} overwrites");
    misses
}

#[test]
fn the_skip_list_loses_a_key_while_it_is_overwritten() {
    let index = SkipMap::new();
    index.insert("key", 0);
    let finds = || index.get("key").is_some();
    assert_ne!(misses("crossbeam-skiplist", finds, || drop(index.insert("key", 1))), 0);
}

#[test]
fn papaya_never_does() {
    let index = papaya::HashMap::new();
    index.pin().insert("key", 0);
    let finds = || index.pin().get("key").is_some();
    let overwrite = || {
        index.pin().insert("key", 1);
    };
    assert_eq!(misses("papaya", finds, overwrite), 0);
}

#[test]
fn compare_insert_of_the_skip_list_brings_back_a_removed_key() {
    let index = SkipMap::new();
    index.insert("key", "in the old log");
    // The compaction copies the record. Before it moves the entry, the key is removed.
    index.remove("key");
    // "If the entry still points to the old log, let it point to the new one."
    index.compare_insert("key", "in the new log", |place| *place == "in the old log");
    assert_eq!(index.get("key").map(|entry| *entry.value()), Some("in the new log"));
}

#[test]
fn compute_of_papaya_leaves_it_removed() {
    let index = papaya::HashMap::new();
    let index = index.pin();
    index.insert("key", "in the old log");
    index.remove("key");
    let moved = index.compute("key", |entry| match entry {
        Some((_, &"in the old log")) => Operation::Insert("in the new log"),
        _ => Operation::Abort(()),
    });
    assert_eq!(moved, Compute::Aborted(()));
    assert_eq!(index.get("key"), None);
}
