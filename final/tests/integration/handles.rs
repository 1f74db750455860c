//! What a store holds open: itself until its last handle is dropped, and files until a compaction has
//! replaced them.

use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine};
use kvs_test_kit::process::deleted_and_open;
use std::sync::mpsc;
use std::thread;
use tempfile::TempDir;

/// On the store's own thread, while more writes wait for it.
#[test]
fn the_last_handle_may_go_with_the_callback_of_a_write() {
    let dir = TempDir::new().unwrap();
    let store = KvStoreOptions::new().durability(Durability::Always).open(dir.path()).unwrap();
    let (results, all) = mpsc::channel();
    let (drop_it, is_the_last) = mpsc::channel::<()>();
    let (handle, result) = (store.clone(), results.clone());
    store.set_then("first".to_owned(), "v".to_owned(), move |done| {
        // An error: the other side was dropped, and the other handle before it.
        is_the_last.recv().unwrap_err();
        drop(handle);
        result.send(done.is_ok()).unwrap();
    });
    let more = 10;
    for number in 0..more {
        let result = results.clone();
        let done = move |done: kvs_final::Result<()>| result.send(done.is_ok()).unwrap();
        store.set_then(number.to_string(), "v".to_owned(), done);
    }
    drop(store);
    drop(drop_it);
    drop(results);
    // Ends when all callbacks are gone.
    assert_eq!(all.iter().collect::<Vec<_>>(), [true; 11]);
    let store = KvStore::open(dir.path()).unwrap();
    assert_eq!(store.stats().keys, more + 1);
    assert_eq!(store.get("9".to_owned()).unwrap(), Some("v".to_owned()));
}

/// Else a disk could be full of them that is empty to all appearances.
#[test]
fn files_that_a_compaction_has_replaced_are_closed() {
    let dir = TempDir::new().unwrap();
    let options = KvStoreOptions::new().segment_bytes(4096).background(false);
    let store = options.open(dir.path()).unwrap();
    let write = || (0..100).for_each(|key| store.set(key.to_string(), "v".repeat(100)).unwrap());
    write();
    store.compact().unwrap();
    assert_eq!(deleted_and_open(dir.path()), 0, "by who has compacted");
    // Entries that this thread has replaced, so that it has to free them, and another thread compacts.
    write();
    thread::scope(|scope| scope.spawn(|| store.compact().unwrap()).join().unwrap());
    store.set("one more".to_owned(), "v".to_owned()).unwrap();
    assert_eq!(deleted_and_open(dir.path()), 0, "by who had written before");
}
