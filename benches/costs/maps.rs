//! Maps that several threads may use, and what a look-up costs in each.

use crate::measure::{Costs, Group, together};
use crossbeam_skiplist::SkipMap;
use dashmap::DashMap;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;

const KEYS: u64 = 10_000;

/// A map of text to numbers.
trait Map: Default + Sync {
    fn get(&self, key: &str) -> Option<u64>;
    fn set(&self, key: String, value: u64);
}

impl Map for Mutex<HashMap<String, u64>> {
    fn get(&self, key: &str) -> Option<u64> {
        self.lock().unwrap().get(key).copied()
    }

    fn set(&self, key: String, value: u64) {
        self.lock().unwrap().insert(key, value);
    }
}

impl Map for RwLock<HashMap<String, u64>> {
    fn get(&self, key: &str) -> Option<u64> {
        self.read().unwrap().get(key).copied()
    }

    fn set(&self, key: String, value: u64) {
        self.write().unwrap().insert(key, value);
    }
}

impl Map for DashMap<String, u64> {
    fn get(&self, key: &str) -> Option<u64> {
        DashMap::get(self, key).map(|value| *value)
    }

    fn set(&self, key: String, value: u64) {
        self.insert(key, value);
    }
}

impl Map for papaya::HashMap<String, u64> {
    fn get(&self, key: &str) -> Option<u64> {
        self.pin().get(key).copied()
    }

    fn set(&self, key: String, value: u64) {
        self.pin().insert(key, value);
    }
}

impl Map for SkipMap<String, u64> {
    fn get(&self, key: &str) -> Option<u64> {
        SkipMap::get(self, key).map(|entry| *entry.value())
    }

    fn set(&self, key: String, value: u64) {
        self.insert(key, value);
    }
}

pub(crate) fn costs(costs: &mut Costs) {
    // One of 10,000 keys is looked up, and its value copied.
    maps(costs.group("map-get"), &[1, 2, 4], KEYS, false);
    // The same, while one more thread overwrites keys as fast as it can.
    maps(costs.group("map-get-beside-writer"), &[1, 2, 4], KEYS, true);
    // The only key is looked up, while one more thread overwrites it as fast as it can.
    maps(costs.group("map-get-overwritten"), &[1], 1, true);
}

fn maps(mut group: Group<'_>, readers: &[usize], keys: u64, writer: bool) {
    type Std = HashMap<String, u64>;
    for &readers in readers {
        map::<Mutex<Std>>(&mut group, "mutex-hashmap", readers, keys, writer);
        map::<RwLock<Std>>(&mut group, "rwlock-hashmap", readers, keys, writer);
        map::<DashMap<String, u64>>(&mut group, "dashmap", readers, keys, writer);
        map::<papaya::HashMap<String, u64>>(&mut group, "papaya", readers, keys, writer);
        map::<SkipMap<String, u64>>(&mut group, "skiplist", readers, keys, writer);
    }
}

/// Every key is there from the start and only ever overwritten. `missing` are the look-ups that do
/// not find it, of all look-ups, and `sets` what the writer did meanwhile; a map that finds another
/// key's value ends the run.
fn map<M: Map>(group: &mut Group<'_>, name: &str, readers: usize, keys: u64, writer: bool) {
    let names: Vec<String> = (0..keys).map(|number| format!("key{number:05}")).collect();
    let map = M::default();
    for (number, name) in (0..).zip(&names) {
        map.set(name.clone(), number);
    }
    let number = |thread, operation| scattered(thread, operation) % keys;
    let set = |operation| {
        let number = number(readers, operation);
        map.set(names[number as usize].clone(), number + operation * keys);
    };
    group.bench(name, readers, |times| {
        // These count for their own sake, and say that it is over.
        let (missing, sets) = (AtomicU64::new(0), AtomicU64::new(0));
        let over = AtomicBool::new(!writer);
        let mut run = thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    set(sets.fetch_add(1, Ordering::Relaxed));
                }
            });
            while writer && sets.load(Ordering::Relaxed) == 0 {
                thread::yield_now();
            }
            let run = together(times, readers, |thread, operations| {
                let mut not_found = 0;
                for operation in operations {
                    let number = number(thread, operation);
                    match map.get(&names[number as usize]) {
                        Some(value) => assert_eq!(value % keys, number),
                        None => not_found += 1,
                    }
                }
                missing.fetch_add(not_found, Ordering::Relaxed);
            });
            over.store(true, Ordering::Relaxed);
            run
        });
        run.counts.push(("missing", missing.into_inner() as f64));
        if writer {
            run.counts.push(("sets", sets.into_inner() as f64));
        }
        run
    });
}

/// Which key a thread uses for an operation, once it is divided by how many there are: each in its
/// turn, but far apart.
fn scattered(thread: usize, operation: u64) -> u64 {
    (operation + thread as u64 * KEYS / 3) * 7919
}
