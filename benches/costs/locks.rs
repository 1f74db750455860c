//! Locks and atomics, alone and contended.

use crate::basics::Work;
use crate::measure::{Costs, Group, together};
use std::cell::Cell;
use std::hint::black_box;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

pub(crate) fn costs(costs: &mut Costs, work: Work) {
    locks(costs.group("lock"), || {});
    // The same, and its holder works for a microsecond before it gives the lock back.
    locks(costs.group("lock-work"), move || work.run());
    atomics(costs.group("atomic"));
    arcs(costs.group("arc"));
}

/// A lock is taken, a number in it read or increased, and the lock given back.
fn locks(mut group: Group<'_>, inside: impl Fn() + Copy + Sync) {
    for threads in [1, 2, 4] {
        group.bench("none", threads, |times| {
            let number = 7;
            together(times, threads, |_, operations| {
                for _ in operations {
                    inside();
                    assert_eq!(*black_box(&number), 7);
                }
            })
        });
        group.bench("mutex", threads, |times| {
            let number = Mutex::new(0);
            let run = together(times, threads, |_, operations| {
                for _ in operations {
                    let mut number = number.lock().unwrap();
                    inside();
                    *number += 1;
                }
            });
            assert_eq!(*number.lock().unwrap(), times);
            run
        });
        group.bench("rwlock-read", threads, |times| {
            let number = RwLock::new(7);
            together(times, threads, |_, operations| {
                for _ in operations {
                    let number = number.read().unwrap();
                    inside();
                    assert_eq!(*black_box(&*number), 7);
                }
            })
        });
        group.bench("rwlock-write", threads, |times| {
            let number = RwLock::new(0);
            let run = together(times, threads, |_, operations| {
                for _ in operations {
                    let mut number = number.write().unwrap();
                    inside();
                    *number += 1;
                }
            });
            assert_eq!(*number.read().unwrap(), times);
            run
        });
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
fn increase(counter: &AtomicU64, operations: Range<u64>) {
    for _ in operations {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn sum<'a>(counters: impl IntoIterator<Item = &'a AtomicU64>) -> u64 {
    counters.into_iter().map(|counter| counter.load(Ordering::Relaxed)).sum()
}

/// A number is read or increased, by threads that share it or not.
fn atomics(mut group: Group<'_>) {
    for threads in [1, 2] {
        group.bench("thread-local", threads, |times| {
            together(times, threads, |_, operations| {
                for _ in operations {
                    let before = COUNTER.with(|counter| counter.replace(counter.get() + 1));
                    assert!(black_box(before) < times);
                }
            })
        });
        group.bench("load", threads, |times| {
            let number = AtomicU64::new(7);
            together(times, threads, |_, operations| {
                for _ in operations {
                    assert_eq!(black_box(&number).load(Ordering::Relaxed), 7);
                }
            })
        });
        group.bench("add-own-line", threads, |times| {
            let counters = [OwnLine::default(), OwnLine::default()];
            let run = together(times, threads, |thread, operations| {
                increase(&counters[thread].0, operations);
            });
            assert_eq!(times, sum(counters.iter().map(|counter| &counter.0)));
            run
        });
    }
    group.bench("add-neighbours", 2, |times| {
        let counters = OneLine::default();
        let run =
            together(times, 2, |thread, operations| increase(&counters.0[thread], operations));
        assert_eq!(times, sum(&counters.0));
        run
    });
    group.bench("add-shared", 2, |times| {
        let counter = OwnLine::default();
        let run = together(times, 2, |_, operations| increase(&counter.0, operations));
        assert_eq!(times, sum([&counter.0]));
        run
    });
}

/// An `Arc` is cloned, and the clone dropped.
fn arcs(mut group: Group<'_>) {
    for (name, threads) in [("own", 1), ("own", 2), ("shared", 2)] {
        group.bench(name, threads, |times| {
            let one = Arc::new(OwnLine::default());
            let is_shared = name == "shared";
            let other = if is_shared { Arc::clone(&one) } else { Arc::default() };
            let arcs = [one, other];
            let run = together(times, threads, |thread, operations| {
                for _ in operations {
                    drop(black_box(Arc::clone(&arcs[thread])));
                }
            });
            assert_eq!(Arc::strong_count(&arcs[0]), if is_shared { 2 } else { 1 });
            run
        });
    }
}
