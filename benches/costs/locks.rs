//! Locks, alone and contended.

use crate::measure::Costs;
use std::hint::black_box;
use std::sync::{Mutex, RwLock};

pub(crate) fn costs(costs: &mut Costs) {
    // A lock is taken, a number in it read or increased, and the lock given back.
    let mut group = costs.group("lock");
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
