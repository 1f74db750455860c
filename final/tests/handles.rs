//! The handles of a store: it is closed with the last one, wherever that is dropped.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine};
use std::sync::mpsc;
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
