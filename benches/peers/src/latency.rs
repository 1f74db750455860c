//! How long a get takes while the store compacts, and while it does not.

use crate::Outcome;
use crate::data::{Key, Values};
use crate::rates::rates;
use crate::workloads::Figures;
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// The 99th percentile of gets of `final`'s store, in microseconds.
pub(crate) fn latency(keys: u64, seconds: f64, dir: &Path) -> Outcome<Figures> {
    let values = Values::new(16);
    let store = KvStoreOptions::new().durability(Durability::Os).open(dir)?;
    for number in 0..keys {
        store.set(Key::new(number).as_str().to_owned(), values.make(number, 0))?;
    }
    let mut figures = Figures::new();
    for threads in [1, 4] {
        let measure = |seed| p99(&store, &values, keys, threads, seconds, seed);
        measure(1)?;
        figures.insert(format!("{threads} threads, quiet"), measure(2)?);
        let before = store.stats().compactions;
        figures
            .insert(format!("{threads} threads, compacting"), compacting(&store, || measure(3))?);
        let compactions = store.stats().compactions - before;
        if compactions == 0 {
            return Err("no compaction ran beside the gets".into());
        }
        figures.insert(format!("{threads} threads, compactions"), compactions as f64);
    }
    Ok(figures)
}

/// Measures while a thread compacts the whole store over and over.
fn compacting(store: &KvStore, measure: impl Fn() -> Outcome<f64>) -> Outcome<f64> {
    // Says only that it is over; it guards no data.
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let compactor = scope.spawn(|| -> Outcome<()> {
            while !stop.load(Ordering::Relaxed) {
                store.compact()?;
            }
            Ok(())
        });
        let measured = measure();
        stop.store(true, Ordering::Relaxed);
        compactor.join().map_err(|_| "the compacting thread panicked")??;
        measured
    })
}

fn p99(
    store: &KvStore,
    values: &Values,
    keys: u64,
    threads: u64,
    seconds: f64,
    seed: u64,
) -> Outcome<f64> {
    // One list for each thread, so that its lock is free whenever its thread wants it.
    let times: Vec<Mutex<Vec<u32>>> = (0..threads).map(|_| Mutex::default()).collect();
    let lock = |thread: usize| times[thread].lock().unwrap_or_else(PoisonError::into_inner);
    rates(threads, seconds, seed, &|thread, random| {
        let number = random.below(keys);
        let key = Key::new(number).as_str().to_owned();
        let start = Instant::now();
        let value = store.get(key)?;
        let time = start.elapsed().as_nanos();
        values.check(number, value.unwrap_or_default().as_bytes())?;
        lock(thread as usize).push(u32::try_from(time).unwrap_or(u32::MAX));
        Ok(())
    })?;
    let mut times: Vec<u32> = (0..threads as usize).flat_map(|n| lock(n).clone()).collect();
    let place = times.len() * 99 / 100;
    if place == 0 {
        return Err("too few gets for a percentile".into());
    }
    let (_, time, _) = times.select_nth_unstable(place);
    Ok(f64::from(*time) / 1000.0)
}
