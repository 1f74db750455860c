//! What several threads may use. Locks, alone and contended. And maps: keys are looked up, while another thread overwrites them as fast as it
//! can. There is only one key, or there are many.

use criterion::{BenchmarkId, Criterion};
use crossbeam_skiplist::SkipMap;
use dashmap::DashMap;
use kvs_bench_kit::record::Figures;
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

/// Each is taken, a number in it read or increased, and the lock given back.
pub(crate) fn locks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lock");
    for threads in [1, 2] {
        group.bench_function(BenchmarkId::new("mutex", threads), |b| {
            b.iter_custom(|times| {
                let number = Mutex::new(0);
                let time = together(times, threads, || *number.lock().unwrap() += 1);
                assert_eq!(number.into_inner().unwrap(), times);
                time
            });
        });
        group.bench_function(BenchmarkId::new("rwlock-read", threads), |b| {
            let number = RwLock::new(7);
            let read = || assert_eq!(*black_box(number.read().unwrap()), 7);
            b.iter_custom(|times| together(times, threads, read));
        });
    }
}

/// Has several threads do something so many times in all.
///
/// Each takes the next few when it has done its own, and not a fixed share: one that was luckier than
/// the others would leave them alone at the end, without the contention that is measured.
fn together(times: u64, threads: usize, work: impl Fn() + Sync) -> Duration {
    let few = (times / (64 * threads as u64)).clamp(1, 1024);
    let ready = Barrier::new(threads + 1);
    // Says only who does what; it guards no data.
    let next = AtomicU64::new(0);
    let life = || {
        ready.wait();
        loop {
            let first = next.fetch_add(few, Ordering::Relaxed);
            if first >= times {
                break;
            }
            (first..times.min(first + few)).for_each(|_| work());
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(life)).collect();
        let start = Instant::now();
        ready.wait();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        start.elapsed()
    })
}

/// The names of the groups, and how many keys there are.
const GROUPS: [(&str, usize); 2] = [("map-get-overwritten", 1), ("map-get-beside-writer", 10_000)];

/// Returns which part of the look-ups did not find their key, for each map.
pub(crate) fn maps(criterion: &mut Criterion) -> BTreeMap<String, Figures> {
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
