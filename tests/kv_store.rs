//! What every store must do, run against the stage that the feature picks.
// Stage 1 changes its store through `&mut`, the others do not.
#![cfg_attr(from_stage = "2", allow(unused_mut))]

use kvs::{KvStore, KvsEngine, KvsError, Result};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn key(number: usize) -> String {
    format!("key{number}")
}

fn value(number: usize) -> String {
    format!("value{number}")
}

/// Opens a store, does something to it, and looks at it before and after it is opened again.
fn is_kept(
    work: impl FnOnce(&mut KvStore) -> Result<()>,
    kept: &[(String, Option<String>)],
) -> Result<()> {
    let dir = TempDir::new()?;
    let mut store = KvStore::open(dir.path())?;
    work(&mut store)?;
    for _ in 0..2 {
        for (key, value) in kept {
            assert_eq!(store.get(key.clone())?, *value, "{key:?}");
        }
        drop(store);
        store = KvStore::open(dir.path())?;
    }
    Ok(())
}

#[test]
fn get_stored_value() -> Result<()> {
    let set = |store: &mut KvStore| {
        store.set(key(1), value(1)).and_then(|()| store.set(key(2), value(2)))
    };
    is_kept(set, &[(key(1), Some(value(1))), (key(2), Some(value(2))), (key(3), None)])
}

#[test]
fn overwrite_value() -> Result<()> {
    let twice = |store: &mut KvStore| {
        store.set(key(1), value(1)).and_then(|()| store.set(key(1), value(2)))
    };
    is_kept(twice, &[(key(1), Some(value(2)))])
}

#[test]
fn remove_key() -> Result<()> {
    let remove = |store: &mut KvStore| {
        assert!(matches!(store.remove(key(1)), Err(KvsError::KeyNotFound)));
        store.set(key(1), value(1))?;
        store.remove(key(1))?;
        assert!(matches!(store.remove(key(1)), Err(KvsError::KeyNotFound)));
        Ok(())
    };
    is_kept(remove, &[(key(1), None)])
}

#[test]
fn any_text_is_a_key_and_a_value() -> Result<()> {
    let texts = ["", "\n", "\u{0}", "\"quoted\\\"", "\u{1f980} ü", &"long ".repeat(10_000)];
    let texts = texts.map(|text| (text.to_owned(), Some(format!("<{text}>"))));
    let set = |store: &mut KvStore| {
        let mut pairs = texts.iter().cloned();
        pairs.try_for_each(|(key, value)| store.set(key, value.unwrap_or_default()))
    };
    is_kept(set, &texts)
}

fn bytes_in(dir: &Path) -> u64 {
    let files = fs::read_dir(dir).unwrap();
    // One that goes while we look counts no more.
    files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum()
}

/// Overwrites and removes keys until the store has compacted, and looks at every key after that.
#[test]
fn compaction() -> Result<()> {
    let dir = TempDir::new()?;
    let mut store = KvStore::open(dir.path())?;
    let mut largest = 0;
    for round in 0.. {
        for number in 0..1000 {
            let before = bytes_in(dir.path());
            largest = largest.max(before);
            store.set(key(number), value(round))?;
            if number % 10 == 0 {
                store.remove(key(number))?;
            }
        }
        if store.stats().compactions >= 2 && bytes_in(dir.path()) < largest / 2 {
            for _ in 0..2 {
                assert_eq!(store.stats().keys, 900);
                for number in 0..1000 {
                    let expected = (number % 10 != 0).then(|| value(round));
                    assert_eq!(store.get(key(number))?, expected, "key {number}");
                }
                drop(store);
                store = KvStore::open(dir.path())?;
            }
            return Ok(());
        }
        assert!(round < 1000, "no compaction, or no smaller directory, after {round} rounds");
    }
    unreachable!()
}

/// A log that was deleted takes its space with it: nobody keeps it open.
#[cfg(target_os = "linux")]
#[test]
fn compaction_keeps_no_deleted_file_open() -> Result<()> {
    let dir = TempDir::new()?;
    let mut store = KvStore::open(dir.path())?;
    for number in 0.. {
        store.set(key(number % 100), "x".repeat(10_000))?;
        if store.stats().compactions > 0 {
            break;
        }
        assert!(number < 100_000, "no compaction");
    }
    for number in 0..100 {
        assert_eq!(store.get(key(number))?.map(|value| value.len()), Some(10_000));
    }
    assert_eq!(kvs_test_kit::process::deleted_and_open(dir.path()), 0);
    Ok(())
}

/// What a crash leaves behind between the last two steps of a compaction.
#[cfg(not(from_stage = "final"))]
#[test]
fn a_log_that_compaction_had_replaced_does_not_come_back() -> Result<()> {
    let dir = TempDir::new()?;
    fs::write(dir.path().join("kvs-7.log"), "{\"Set\":{\"key\":\"key1\",\"value\":\"old\"}}\n")?;
    fs::write(dir.path().join("kvs-8.log"), "{\"Set\":{\"key\":\"key2\",\"value\":\"new\"}}\n")?;
    fs::write(dir.path().join("kvs-9.log.tmp"), "{\"Set\":{\"key\":\"key2\",\"val")?;
    let mut store = KvStore::open(dir.path())?;
    assert_eq!(store.get(key(1))?, None);
    assert_eq!(store.get(key(2))?, Some("new".to_owned()));
    assert!(!dir.path().join("kvs-7.log").exists());
    Ok(())
}

#[test]
fn a_second_open_is_refused_and_harms_nothing() -> Result<()> {
    let dir = TempDir::new()?;
    let mut store = KvStore::open(dir.path())?;
    store.set(key(1), value(1))?;
    assert!(matches!(KvStore::open(dir.path()), Err(KvsError::InUse { .. })));
    store.set(key(2), value(2))?;
    drop(store);
    let mut store = KvStore::open(dir.path())?;
    assert_eq!(store.get(key(1))?, Some(value(1)));
    assert_eq!(store.get(key(2))?, Some(value(2)));
    Ok(())
}

#[test]
fn an_open_waits_for_an_owner_that_is_letting_go() -> Result<()> {
    let dir = TempDir::new()?;
    let store = KvStore::open(dir.path())?;
    std::thread::scope(|scope| {
        let (opening, opens) = std::sync::mpsc::channel();
        let next = scope.spawn(move || {
            opening.send(()).unwrap();
            KvStore::open(dir.path()).map(drop)
        });
        opens.recv().unwrap();
        // Long enough to be refused, if it did not wait.
        std::thread::sleep(std::time::Duration::from_millis(100));
        drop(store);
        next.join().unwrap()
    })
}

#[cfg(not(from_stage = "final"))]
#[test]
fn a_damaged_log_is_refused_with_file_and_offset() -> Result<()> {
    let dir = TempDir::new()?;
    let mut store = KvStore::open(dir.path())?;
    store.set(key(1), value(1))?;
    store.set(key(2), value(2))?;
    drop(store);
    let path = dir.path().join("kvs-1.log");
    let whole = fs::read_to_string(&path)?;
    fs::write(&path, whole.replacen("key2", "key2\"", 1))?;
    match KvStore::open(dir.path()) {
        Err(KvsError::Damaged { path: file, offset, .. }) => {
            assert_eq!((file, offset), (path, whole.find('\n').unwrap() as u64 + 1));
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("damage was not noticed"),
    }
    Ok(())
}

/// Everything that the binaries report goes through `failure`.
#[test]
fn the_error_type_is_a_std_error_and_can_cross_threads() {
    fn check<E: std::error::Error + Send + Sync + 'static>() {}
    check::<KvsError>();
}

#[cfg(from_stage = "2")]
mod shared {
    use super::*;
    use std::sync::Barrier;
    use std::thread;

    #[test]
    fn concurrent_set() -> Result<()> {
        let dir = TempDir::new()?;
        let store = KvStore::open(dir.path())?;
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for thread in 0..8 {
                let (store, start) = (store.clone(), &start);
                scope.spawn(move || {
                    start.wait();
                    for number in (thread..1000).step_by(8) {
                        store.set(key(number), value(number)).unwrap();
                    }
                });
            }
        });
        drop(store);
        let store = KvStore::open(dir.path())?;
        for number in 0..1000 {
            assert_eq!(store.get(key(number))?, Some(value(number)));
        }
        Ok(())
    }

    #[test]
    fn concurrent_get() -> Result<()> {
        let dir = TempDir::new()?;
        let store = KvStore::open(dir.path())?;
        for number in 0..100 {
            store.set(key(number), value(number))?;
        }
        drop(store);
        for _ in 0..2 {
            let store = KvStore::open(dir.path())?;
            thread::scope(|scope| {
                for thread in 0..8 {
                    let store = store.clone();
                    scope.spawn(move || {
                        for turn in 0..1000 {
                            let number = (thread * 13 + turn) % 100;
                            assert_eq!(store.get(key(number)).unwrap(), Some(value(number)));
                        }
                    });
                }
            });
        }
        Ok(())
    }

    /// Readers look at keys that are always there while a writer overwrites them, as long as
    /// `goes_on` says. They must find every key, and never go back to an older value.
    fn overwrite_under_readers<E: KvsEngine + Sync>(
        store: &E,
        goes_on: impl Fn() -> bool,
    ) -> std::result::Result<(), String> {
        use std::sync::atomic::{AtomicBool, Ordering};
        let padding = "x".repeat(1000);
        let write = |version: usize| {
            for number in 0..10 {
                store.set(key(number), format!("{version}:{padding}")).unwrap();
            }
        };
        write(0);
        let done = AtomicBool::new(false);
        let read = |first: usize| {
            let (mut newest, mut turn) = ([0; 10], first);
            while !done.load(Ordering::Relaxed) {
                turn = (turn + 1) % 10;
                let found = store.get(key(turn)).map_err(|error| error.to_string())?;
                let found = found.ok_or("a key that is always there was not found")?;
                let version: usize = found.split(':').next().unwrap().parse().unwrap();
                if version < newest[turn] {
                    return Err(format!("version {version} after {}", newest[turn]));
                }
                newest[turn] = version;
            }
            Ok(())
        };
        thread::scope(|scope| {
            let readers: Vec<_> = (0..3).map(|first| scope.spawn(move || read(first))).collect();
            let some_reader_failed = || readers.iter().any(|reader| reader.is_finished());
            let versions = (1..).take_while(|_| goes_on() && !some_reader_failed());
            versions.for_each(write);
            done.store(true, Ordering::Relaxed);
            readers.into_iter().try_for_each(|reader| reader.join().unwrap())
        })
    }

    #[test]
    fn get_during_overwrites_and_compaction_never_answers_none() -> Result<()> {
        let dir = TempDir::new()?;
        let store = KvStore::open(dir.path())?;
        let since = std::time::Instant::now();
        let goes_on = || store.stats().compactions < 5 && since.elapsed().as_secs() < 100;
        overwrite_under_readers(&store, goes_on).unwrap();
        assert!(store.stats().compactions >= 5);
        Ok(())
    }

    /// The injected fault: an index that unlinks the old entry before it links the new one.
    #[test]
    fn a_planted_index_that_unlinks_first_is_caught() -> Result<()> {
        #[derive(Clone)]
        struct UnlinksFirst(KvStore);

        impl KvsEngine for UnlinksFirst {
            fn set(&self, key: String, value: String) -> Result<()> {
                let _ = self.0.remove(key.clone());
                self.0.set(key, value)
            }
            fn get(&self, key: String) -> Result<Option<String>> {
                self.0.get(key)
            }
            fn remove(&self, key: String) -> Result<()> {
                self.0.remove(key)
            }
        }

        let dir = TempDir::new()?;
        let store = UnlinksFirst(KvStore::open(dir.path())?);
        let since = std::time::Instant::now();
        let caught = overwrite_under_readers(&store, || since.elapsed().as_secs() < 60);
        assert!(caught.unwrap_err().contains("was not found"));
        Ok(())
    }
}
