//! Maps that several threads may use, and what a look-up costs in each.

use crate::measure::{Costs, Group, together};
use crossbeam_skiplist::SkipMap;
use dashmap::DashMap;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;

const KEYS: u64 = 10_000;

pub(crate) fn costs(costs: &mut Costs) {
    // One of 10,000 keys is looked up, and its value copied.
    maps(costs.group("map-get"), &[1, 2, 4], KEYS, false);
    // The same, while one more thread overwrites keys as fast as it can.
    maps(costs.group("map-get-beside-writer"), &[1, 2, 4], KEYS, true);
    // The only key is looked up, while one more thread overwrites it as fast as it can.
    maps(costs.group("map-get-overwritten"), &[1], 1, true);
}

fn maps(mut group: Group<'_>, readers: &[usize], keys: u64, writer: bool) {
    for &readers in readers {
        let mut case = Case { group: &mut group, readers, keys, writer };
        let map = Mutex::new(HashMap::new());
        let get = |key: &str| map.lock().unwrap().get(key).copied();
        case.bench("mutex-hashmap", get, |key, value| {
            map.lock().unwrap().insert(key, value);
        });
        let map = RwLock::new(HashMap::new());
        let get = |key: &str| map.read().unwrap().get(key).copied();
        case.bench("rwlock-hashmap", get, |key, value| {
            map.write().unwrap().insert(key, value);
        });
        let map = DashMap::new();
        let get = |key: &str| map.get(key).map(|value| *value);
        case.bench("dashmap", get, |key, value| {
            map.insert(key, value);
        });
        let map = papaya::HashMap::new();
        let get = |key: &str| map.pin().get(key).copied();
        case.bench("papaya", get, |key, value| {
            map.pin().insert(key, value);
        });
        let map = SkipMap::new();
        let get = |key: &str| map.get(key).map(|entry| *entry.value());
        case.bench("skiplist", get, |key, value| {
            map.insert(key, value);
        });
    }
}

struct Case<'a, 'b> {
    group: &'a mut Group<'b>,
    readers: usize,
    keys: u64,
    /// Whether one more thread overwrites keys.
    writer: bool,
}

impl Case<'_, '_> {
    /// Every key is there from the start and only ever overwritten. `missing` are the look-ups that do
    /// not find it, of all look-ups, and `sets` what the writer did meanwhile; a map that finds another
    /// key's value ends the run.
    fn bench(
        &mut self,
        name: &str,
        get: impl Fn(&str) -> Option<u64> + Sync,
        set: impl Fn(String, u64) + Sync,
    ) {
        let Case { readers, keys, writer, .. } = *self;
        let names: Vec<String> = (0..keys).map(|number| format!("key{number:05}")).collect();
        (0..).zip(&names).for_each(|(number, name)| set(name.clone(), number));
        let number = |thread, operation| scattered(thread, operation) % keys;
        let set_one = |operation| {
            let number = number(readers, operation);
            set(names[number as usize].clone(), number + operation * keys);
        };
        self.group.bench(name, readers, |times| {
            // These count for their own sake, and say that it is over.
            let (missing, sets) = (AtomicU64::new(0), AtomicU64::new(0));
            let over = AtomicBool::new(!writer);
            let mut run = thread::scope(|scope| {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        set_one(sets.fetch_add(1, Ordering::Relaxed));
                    }
                });
                while writer && sets.load(Ordering::Relaxed) == 0 {
                    thread::yield_now();
                }
                let run = together(times, readers, |thread, operations| {
                    let mut not_found = 0;
                    for operation in operations {
                        let number = number(thread, operation);
                        match get(&names[number as usize]) {
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
}

/// Which key a thread uses for an operation, once it is divided by how many there are: each in its
/// turn, but far apart.
fn scattered(thread: usize, operation: u64) -> u64 {
    (operation + thread as u64 * KEYS / 3) * 7919
}
