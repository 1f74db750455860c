//! Locks and atomics, alone and contended.

use crate::basics::Work;
use crate::measure::{Cost, Variant, together};
use std::cell::Cell;
use std::hint::black_box;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

pub(crate) fn costs(work: Work) -> Vec<Cost> {
    vec![
        Cost {
            name: "lock",
            operation: "a lock is taken, a number in it read or increased, and the lock given back",
            variants: locks(|| {}),
        },
        Cost {
            name: "lock-work",
            operation: "the same, and its holder works for a microsecond before it gives it back",
            variants: locks(move || work.run()),
        },
        Cost {
            name: "atomic",
            operation: "a number is read or increased, by threads that share it or not",
            variants: atomics(),
        },
        Cost {
            name: "arc",
            operation: "an `Arc` is cloned, and the clone dropped",
            variants: arcs(),
        },
    ]
}

fn locks(inside: impl Fn() + Copy + Send + Sync + 'static) -> Vec<Variant> {
    let mut variants = Vec::new();
    for threads in [1, 2, 4] {
        variants.push(Variant::new("none", threads, move |budget| {
            let number = 7;
            let run = together(budget, threads, |_, operations| {
                for _ in operations {
                    inside();
                    assert_eq!(*black_box(&number), 7);
                }
            });
            run.figures()
        }));
        variants.push(Variant::new("mutex", threads, move |budget| {
            let number = Mutex::new(0);
            let run = together(budget, threads, |_, operations| {
                for _ in operations {
                    let mut number = number.lock().unwrap();
                    inside();
                    *number += 1;
                }
            });
            assert_eq!(*number.lock().unwrap(), run.operations());
            run.figures()
        }));
        variants.push(Variant::new("rwlock-read", threads, move |budget| {
            let number = RwLock::new(7);
            let run = together(budget, threads, |_, operations| {
                for _ in operations {
                    let number = number.read().unwrap();
                    inside();
                    assert_eq!(*black_box(&*number), 7);
                }
            });
            run.figures()
        }));
        variants.push(Variant::new("rwlock-write", threads, move |budget| {
            let number = RwLock::new(0);
            let run = together(budget, threads, |_, operations| {
                for _ in operations {
                    let mut number = number.write().unwrap();
                    inside();
                    *number += 1;
                }
            });
            assert_eq!(*number.read().unwrap(), run.operations());
            run.figures()
        }));
    }
    variants
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

fn counted<'a>(counters: impl IntoIterator<Item = &'a AtomicU64>) -> u64 {
    counters.into_iter().map(|counter| counter.load(Ordering::Relaxed)).sum()
}

fn atomics() -> Vec<Variant> {
    let mut variants = Vec::new();
    for threads in [1, 2] {
        variants.push(Variant::new("thread-local", threads, move |budget| {
            let run = together(budget, threads, |_, operations| {
                for number in operations {
                    let counted = COUNTER.with(|counter| counter.replace(counter.get() + 1));
                    assert_eq!(black_box(counted), number);
                }
            });
            run.figures()
        }));
        variants.push(Variant::new("load", threads, move |budget| {
            let number = AtomicU64::new(7);
            let run = together(budget, threads, |_, operations| {
                for _ in operations {
                    assert_eq!(black_box(&number).load(Ordering::Relaxed), 7);
                }
            });
            run.figures()
        }));
        variants.push(Variant::new("add-own-line", threads, move |budget| {
            let counters = [OwnLine::default(), OwnLine::default()];
            let run = together(budget, threads, |thread, operations| {
                increase(&counters[thread].0, operations);
            });
            assert_eq!(run.operations(), counted(counters.iter().map(|counter| &counter.0)));
            run.figures()
        }));
    }
    variants.push(Variant::new("add-neighbours", 2, |budget| {
        let counters = OneLine::default();
        let run = together(budget, 2, |thread, operations| {
            increase(&counters.0[thread], operations);
        });
        assert_eq!(run.operations(), counted(counters.0.iter()));
        run.figures()
    }));
    variants.push(Variant::new("add-shared", 2, |budget| {
        let counter = OwnLine::default();
        let run = together(budget, 2, |_, operations| increase(&counter.0, operations));
        assert_eq!(run.operations(), counted([&counter.0]));
        run.figures()
    }));
    variants
}

fn arcs() -> Vec<Variant> {
    let variant = |name: &'static str, threads: usize, shared: bool| {
        Variant::new(name, threads, move |budget| {
            let one = Arc::new(OwnLine::default());
            let other = if shared { Arc::clone(&one) } else { Arc::new(OwnLine::default()) };
            let arcs = [one, other];
            let run = together(budget, threads, |thread, operations| {
                for _ in operations {
                    drop(black_box(Arc::clone(&arcs[thread])));
                }
            });
            assert_eq!(Arc::strong_count(&arcs[0]), if shared { 2 } else { 1 });
            run.figures()
        })
    };
    vec![variant("own", 1, false), variant("own", 2, false), variant("shared", 2, true)]
}
