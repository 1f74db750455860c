//! A store is its directory, whatever becomes of the directory's name and of the marker in it.

use crate::*;
use fork::{Fork, fork, waitpid_nohang};
use kvs_test_kit::simulated::faults::fates_everywhere;
use std::cell::RefCell;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;

fn place<const N: usize>(names: [&str; N]) -> (TempDir, [PathBuf; N]) {
    let place = TempDir::new().unwrap();
    let paths = names.map(|name| place.path().join(name));
    (place, paths)
}

fn open(dir: &Path, durability: Durability) -> KvStore {
    KvStoreOptions::new().durability(durability).open(dir).unwrap()
}

fn set(store: &impl KvsEngine, key: usize) -> Result<()> {
    store.set(format!("key{key}"), "value".to_owned())
}

/// How many keys the store has.
fn keys(dir: &Path) -> u64 {
    open(dir, Durability::Os).stats().keys
}

/// Does something in a child that has our memory and none of our other threads. Returns its number.
fn in_child(work: impl FnOnce()) -> i32 {
    match fork().unwrap() {
        Fork::Parent(child) => child,
        Fork::Child => exit(i32::from(catch_unwind(AssertUnwindSafe(work)).is_err())),
    }
}

fn ends_well(child: i32) {
    let mut status = None;
    until("the child ends", || {
        status = waitpid_nohang(child).unwrap();
        status.is_some()
    });
    assert_eq!(status, Some(0));
}

#[test]
fn a_store_with_a_relative_path_stays_in_its_directory() {
    let (_place, [own, other]) = place(["own", "other"]);
    fs::create_dir(&own).unwrap();
    let store = open(&other, Durability::Os);
    (0..200).for_each(|key| set(&store, key).unwrap());
    drop(store);
    // A process has one current directory.
    ends_well(in_child(|| {
        env::set_current_dir(&own).unwrap();
        let store = KvStoreOptions::new().durability(Durability::Always).segment_bytes(1 << 10);
        let store = store.open(".").unwrap();
        env::set_current_dir(&other).unwrap();
        (0..64).for_each(|key| set(&store, key).unwrap());
    }));
    assert_eq!((keys(&own), keys(&other)), (64, 200));
}

#[test]
fn a_store_that_was_moved_goes_on_and_one_that_was_deleted_refuses_writes() {
    let interval = Durability::Interval(Duration::from_millis(5));
    for durability in [Durability::Always, interval, Durability::Os] {
        for files_only in [false, true] {
            let (_place, [d, e]) = place(["d", "e"]);
            let store = open(&d, durability);
            set(&store, 1).unwrap();
            fs::rename(&d, &e).unwrap();
            (2..10).for_each(|key| set(&store, key).unwrap());
            store.compact().unwrap();
            fs::remove_dir_all(&e).unwrap();
            if files_only {
                fs::create_dir(&e).unwrap();
            }
            if durability != Durability::Always {
                until("the store notices", || set(&store, 1).is_err());
            }
            let error = set(&store, 1).unwrap_err().to_string();
            assert!(error.contains("no more writes") && error.contains("deleted"), "{error}");
            assert_eq!(store.get("key2".to_owned()).unwrap().unwrap(), "value");
        }
    }
}

#[test]
fn a_marker_that_was_removed_is_written_again_and_locked() {
    let (_place, [d]) = place(["d"]);
    let marker = d.join("engine");
    let store = open(&d, Durability::Always);
    set(&store, 0).unwrap();
    fs::remove_file(&marker).unwrap();
    store.compact().unwrap();
    assert_eq!(fs::read_to_string(&marker).unwrap(), "kvs\n");
    set(&store, 1).unwrap();
    assert!(fs::File::open(&marker).unwrap().try_lock().is_err(), "it is not locked");
}

#[test]
fn a_marker_or_a_manifest_of_somebody_else_ends_writing() {
    for (name, text) in [("engine", "kvs\n"), ("MANIFEST", "somebody's")] {
        let (_place, [d, new]) = place(["d", "new"]);
        let store = open(&d, Durability::Always);
        set(&store, 1).unwrap();
        fs::write(&new, text).unwrap();
        fs::rename(&new, d.join(name)).unwrap();
        assert!(matches!(store.compact(), Err(KvsError::Stopped { .. })), "{name}");
        assert!(matches!(set(&store, 2), Err(KvsError::Stopped { .. })), "{name}");
        drop(store);
        assert_eq!(fs::read_to_string(d.join(name)).unwrap(), text);
    }
}

/// A child has what its parent has opened, and nobody to wait for.
fn is_left_alone_by_a_child<E: KvsEngine>(
    open: impl Fn(&Path) -> E,
    is_free_at_once: bool,
    also: impl Fn(&E),
) {
    let (_place, [d, end]) = place(["d", "end"]);
    let store = RefCell::new(Some(open(&d)));
    set(store.borrow().as_ref().unwrap(), 1).unwrap();
    let child = in_child(|| {
        let store = store.take().unwrap();
        let told = || KvsError::Forked.to_string();
        assert_eq!(set(&store, 2).unwrap_err().to_string(), told());
        let removed = store.remove("key1".to_owned());
        assert_eq!(removed.unwrap_err().to_string(), told());
        store.set_then("key3".to_owned(), String::new(), move |result| {
            assert_eq!(result.unwrap_err().to_string(), told());
        });
        also(&store);
        drop(store);
        until("the parent has seen to it", || end.exists());
    });
    set(store.borrow().as_ref().unwrap(), 4).unwrap();
    drop(store.take());
    if !is_free_at_once {
        fs::write(&end, "").unwrap();
        ends_well(child);
    }
    let store = open(&d);
    let has = |key: &str| store.get(key.to_owned()).unwrap().is_some();
    assert!(has("key1") && !has("key2") && !has("key3") && has("key4"));
    if is_free_at_once {
        fs::write(&end, "").unwrap();
        ends_well(child);
    }
}

#[test]
fn a_forked_child_neither_writes_to_its_parents_store_nor_closes_or_keeps_it() {
    is_left_alone_by_a_child(
        |dir| open(dir, Durability::Always),
        true,
        |store| {
            assert!(matches!(store.sync(), Err(KvsError::Forked)));
            assert!(matches!(store.compact(), Err(KvsError::Forked)));
        },
    );
    // sled has a lock of its own, which the child keeps until its end.
    is_left_alone_by_a_child(|dir| SledKvsEngine::open(dir).unwrap(), false, |_| {});
}

/// It opens files of long values by name.
#[test]
#[cfg_attr(kvs_portable, ignore = "only Linux has a path that leads to an open directory")]
fn a_store_of_sled_stays_in_its_directory_and_refuses_writes_when_that_was_deleted() {
    let (_place, [d, e]) = place(["d", "e"]);
    let store = SledKvsEngine::open(&d).unwrap();
    fs::rename(&d, &e).unwrap();
    fs::create_dir(&d).unwrap();
    let long = "v".repeat(3 << 20);
    store.set("long".to_owned(), long.clone()).unwrap();
    drop(store);
    assert_eq!(fs::read_dir(&d).unwrap().count(), 0);
    assert!(fs::read_dir(e.join("sled/blobs")).unwrap().count() > 0);
    let store = SledKvsEngine::open(&e).unwrap();
    assert_eq!(store.get("long".to_owned()).unwrap(), Some(long));
    fs::remove_file(e.join("engine")).unwrap();
    set(&store, 1).unwrap();
    assert_eq!(fs::read_to_string(e.join("engine")).unwrap(), "sled\n");
    fs::remove_dir_all(&e).unwrap();
    let error = set(&store, 1).unwrap_err().to_string();
    assert!(error.contains("No such file"), "{error}");
    assert_eq!(store.get("key1".to_owned()).unwrap().unwrap(), "value");
}

/// On the simulated disk. [`promises`](../promises/directories.rs) does so to the real one, between operations.
#[test]
fn a_directory_that_is_moved_deleted_or_replaced_at_any_operation_hurts_nobody_elses_data() {
    println!("{} runs", fates_everywhere(0, 25).unwrap());
}
