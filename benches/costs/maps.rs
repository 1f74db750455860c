//! Maps that several threads may use, and what a look-up costs in each.

use crate::measure::{Cost, Figures, Variant, together};
use crossbeam_skiplist::SkipMap;
use dashmap::DashMap;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};

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

pub(crate) fn costs() -> Vec<Cost> {
    vec![
        Cost {
            name: "map-get",
            operation: "one of 10,000 keys is looked up, and its value copied",
            variants: variants(&[1, 2, 4], KEYS, false),
        },
        Cost {
            name: "map-get-beside-writer",
            operation: "the same, while one more thread overwrites keys as fast as it can",
            variants: variants(&[1, 2, 4], KEYS, true),
        },
        Cost {
            name: "map-get-overwritten",
            operation: "the only key is looked up, while one more thread overwrites it as fast as \
                        it can",
            variants: variants(&[1], 1, true),
        },
    ]
}

fn variants(readers: &[usize], keys: u64, writer: bool) -> Vec<Variant> {
    let maps = |readers: &usize| {
        [
            variant::<Mutex<HashMap<String, u64>>>("mutex-hashmap", *readers, keys, writer),
            variant::<RwLock<HashMap<String, u64>>>("rwlock-hashmap", *readers, keys, writer),
            variant::<DashMap<String, u64>>("dashmap", *readers, keys, writer),
            variant::<papaya::HashMap<String, u64>>("papaya", *readers, keys, writer),
            variant::<SkipMap<String, u64>>("skiplist", *readers, keys, writer),
        ]
    };
    readers.iter().flat_map(maps).collect()
}

/// Every key is there from the start and only ever overwritten. `missing` are the look-ups that do
/// not find it, of all look-ups; a map that finds another key's value ends the run.
fn variant<M: Map + 'static>(
    name: &'static str,
    readers: usize,
    keys: u64,
    writer: bool,
) -> Variant {
    Variant::new(name, readers, move |budget| {
        let names: Vec<String> = (0..keys).map(|number| format!("key{number:05}")).collect();
        let map = M::default();
        for (number, name) in (0..).zip(&names) {
            map.set(name.clone(), number);
        }
        // Counts for its own sake; read when the threads have been joined.
        let missing = AtomicU64::new(0);
        let threads = readers + usize::from(writer);
        let run = together(budget, threads, |thread, operations| {
            let number = |operation| scattered(thread, operation) % keys;
            if thread == readers {
                for operation in operations {
                    let number = number(operation);
                    map.set(names[number as usize].clone(), number + operation * keys);
                }
                return;
            }
            let mut not_found = 0;
            for operation in operations {
                let number = number(operation);
                match map.get(&names[number as usize]) {
                    Some(value) => assert_eq!(value % keys, number),
                    None => not_found += 1,
                }
            }
            missing.fetch_add(not_found, Ordering::Relaxed);
        });
        let gets = run.done[..readers].iter().sum::<u64>() as f64;
        let mut figures = Figures::from([
            ("seconds".to_owned(), run.seconds(0..readers)),
            ("missing".to_owned(), missing.into_inner() as f64 / gets),
        ]);
        if writer {
            figures.insert("set_seconds".to_owned(), run.seconds(readers..threads));
        }
        figures
    })
}

/// Which key a thread uses for an operation, once it is divided by how many there are: each in its
/// turn, but far apart.
fn scattered(thread: usize, operation: u64) -> u64 {
    (operation + thread as u64 * KEYS / 3) * 7919
}
