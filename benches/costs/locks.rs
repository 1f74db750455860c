//! Locks and atomics, alone and contended.

use crate::measure::{Costs, Group};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

pub(crate) fn costs(costs: &mut Costs) {
    locks(costs.group("lock"));
    atomics(costs.group("atomic"));
    arcs(costs.group("arc"));
}

/// A lock is taken, a number in it read or increased, and the lock given back.
fn locks(mut group: Group<'_>) {
    for threads in [1, 2, 4] {
        let read = |number: &u64| assert_eq!(*black_box(number), 7);
        group.bench_shared("none", threads, || 7, |number, _| read(number), |_, _| ());
        group.bench_shared(
            "mutex",
            threads,
            || Mutex::new(0),
            |number, _| *number.lock().unwrap() += 1,
            |number, times| assert_eq!(number.into_inner().unwrap(), times),
        );
        group.bench_shared(
            "rwlock-read",
            threads,
            || RwLock::new(7),
            |number, _| read(&number.read().unwrap()),
            |_, _| (),
        );
        group.bench_shared(
            "rwlock-write",
            threads,
            || RwLock::new(0),
            |number, _| *number.write().unwrap() += 1,
            |number, times| assert_eq!(number.into_inner().unwrap(), times),
        );
    }
}

/// A counter that has the line of the cache, and the one that is fetched with it, for itself.
#[derive(Default)]
#[repr(align(128))]
struct OwnLine(AtomicU64);

/// Two counters in one line of the cache.
#[derive(Default)]
#[repr(align(128))]
struct OneLine([AtomicU64; 2]);

thread_local! {
    static COUNTER: Cell<u64> = const { Cell::new(0) };
}

// `Relaxed`, here and below: each number is counted for its own sake, and read when all threads
// have been joined.
fn increase(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn assert_sum<'a>(counters: impl IntoIterator<Item = &'a AtomicU64>, times: u64) {
    let sum: u64 = counters.into_iter().map(|counter| counter.load(Ordering::Relaxed)).sum();
    assert_eq!(sum, times);
}

/// A number is read or increased, by threads that share it or not.
fn atomics(mut group: Group<'_>) {
    for threads in [1, 2] {
        let increase_own = |_: &(), _| COUNTER.with(|counter| counter.set(counter.get() + 1));
        group.bench_shared("thread-local", threads, || (), increase_own, |(), _| ());
        let load = |number: &AtomicU64, _| {
            assert_eq!(black_box(number).load(Ordering::Relaxed), 7);
        };
        group.bench_shared("load", threads, || AtomicU64::new(7), load, |_, _| ());
        group.bench_shared(
            "add-own-line",
            threads,
            <[OwnLine; 2]>::default,
            |counters, thread| increase(&counters[thread].0),
            |counters, times| assert_sum(counters.iter().map(|counter| &counter.0), times),
        );
    }
    group.bench_shared(
        "add-neighbours",
        2,
        OneLine::default,
        |counters, thread| increase(&counters.0[thread]),
        |counters, times| assert_sum(&counters.0, times),
    );
    group.bench_shared(
        "add-shared",
        2,
        OwnLine::default,
        |counter, _| increase(&counter.0),
        |counter, times| assert_sum([&counter.0], times),
    );
}

/// An `Arc` is cloned, and the clone dropped.
fn arcs(mut group: Group<'_>) {
    let own = || [Arc::<OwnLine>::default(), Arc::default()];
    let shared = || {
        let one = Arc::default();
        [Arc::clone(&one), one]
    };
    let clone =
        |arcs: &[Arc<OwnLine>; 2], thread: usize| drop(black_box(Arc::clone(&arcs[thread])));
    let assert_owners = |arcs: [Arc<OwnLine>; 2], owners| {
        assert_eq!(Arc::strong_count(&arcs[0]), owners);
    };
    group.bench_shared("own", 1, own, clone, |arcs, _| assert_owners(arcs, 1));
    group.bench_shared("own", 2, own, clone, |arcs, _| assert_owners(arcs, 1));
    group.bench_shared("shared", 2, shared, clone, |arcs, _| assert_owners(arcs, 2));
}
