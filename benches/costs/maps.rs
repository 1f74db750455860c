//! Maps that several threads may use: the only key is looked up, while another thread overwrites it as
//! fast as it can.

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

/// The key is there from the start and only ever overwritten. Returns which part of the look-ups did not
/// find it, for each map.
pub(crate) fn costs(criterion: &mut Criterion) -> BTreeMap<String, Figures> {
    let mut missing = BTreeMap::new();
    let mut bench =
        |name, get: &dyn Fn(&str) -> Option<u64>, set: &(dyn Fn(String, u64) + Sync)| {
            missing.extend(overwritten(criterion, name, get, set));
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
    missing
}

fn overwritten(
    criterion: &mut Criterion,
    name: &str,
    get: impl Fn(&str) -> Option<u64>,
    set: impl Fn(String, u64) + Sync,
) -> Option<(String, Figures)> {
    const GROUP: &str = "map-get-overwritten";
    const KEY: &str = "key";
    set(KEY.to_owned(), 0);
    let (mut lookups, mut missing) = (0, 0);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut values = 1..;
            while !over.load(Ordering::Relaxed) {
                values.by_ref().take(100).for_each(|value| set(KEY.to_owned(), value));
            }
        });
        let mut group = criterion.benchmark_group(GROUP);
        group.bench_function(BenchmarkId::new(name, 1), |b| {
            b.iter_custom(|times| {
                let start = Instant::now();
                missing += (0..times).filter(|_| black_box(get(KEY)).is_none()).count();
                lookups += times;
                start.elapsed()
            });
        });
        over.store(true, Ordering::Relaxed);
    });
    // None, if the command line names others.
    let share = missing as f64 / lookups as f64;
    (lookups > 0).then(|| (format!("{GROUP}/{name}/1"), [("missing".to_owned(), share)].into()))
}
