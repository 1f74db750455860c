//! Maps that several threads may use: keys are looked up, while another thread overwrites them as fast as it
//! can. There is only one key, or there are many.

use criterion::{BenchmarkId, Criterion};
use crossbeam_skiplist::SkipMap;
use dashmap::DashMap;
use kvs_bench_kit::record::Figures;
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// The names of the groups, and how many keys there are.
const GROUPS: [(&str, usize); 2] = [("map-get-overwritten", 1), ("map-get-beside-writer", 10_000)];

/// Returns which part of the look-ups did not find their key, for each map.
pub(crate) fn costs(criterion: &mut Criterion) -> BTreeMap<String, Figures> {
    let mut missing = BTreeMap::new();
    for group in GROUPS {
        let mut bench =
            |name, get: &dyn Fn(&str) -> Option<usize>, set: &(dyn Fn(String, usize) + Sync)| {
                missing.extend(overwritten(criterion, group, name, get, set));
            };
        let map = Mutex::new(HashMap::new());
        bench("mutex-hashmap", &|key| map.lock().unwrap().get(key).copied(), &|key, value| {
            map.lock().unwrap().insert(key, value);
        });
        let map = DashMap::new();
        bench("dashmap", &|key| map.get(key).map(|value| *value), &|key, value| {
            map.insert(key, value);
        });
        let map = papaya::HashMap::new();
        bench("papaya", &|key| map.pin().get(key).copied(), &|key, value| {
            map.pin().insert(key, value);
        });
        let map = SkipMap::new();
        bench("skiplist", &|key| map.get(key).map(|entry| *entry.value()), &|key, value| {
            map.insert(key, value);
        });
    }
    missing
}

/// Every key is there from the start and only ever overwritten.
fn overwritten(
    criterion: &mut Criterion,
    (group, keys): (&str, usize),
    name: &str,
    get: impl Fn(&str) -> Option<usize>,
    set: impl Fn(String, usize) + Sync,
) -> Option<(String, Figures)> {
    let names: Vec<String> = (0..keys).map(|number| format!("key{number:05}")).collect();
    names.iter().for_each(|name| set(name.clone(), 0));
    let (mut lookups, mut missing) = (0, 0);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Not in the order of the look-ups.
            let mut writes = (1..).map(|number| (names[number * 7919 % keys].clone(), number));
            while !over.load(Ordering::Relaxed) {
                writes.by_ref().take(100).for_each(|(key, value)| set(key, value));
            }
        });
        let mut order = names.iter().cycle();
        criterion.benchmark_group(group).bench_function(BenchmarkId::new(name, 1), |b| {
            b.iter_custom(|times| {
                let start = Instant::now();
                let sought = order.by_ref().take(times as usize);
                missing += sought.filter(|key| black_box(get(key)).is_none()).count();
                lookups += times;
                start.elapsed()
            });
        });
        over.store(true, Ordering::Relaxed);
    });
    // None, if the command line names others.
    let share = missing as f64 / lookups as f64;
    let figures = [("missing".to_owned(), share)].into();
    (lookups > 0).then(|| (format!("{group}/{name}/1"), figures))
}
