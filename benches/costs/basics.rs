//! The smallest things, to compare the others with.

use crate::measure::Costs;
use rustix::process::getppid;
use std::hint::black_box;
use std::time::Instant;

pub(crate) fn costs(costs: &mut Costs) {
    let mut group = costs.group("basics");
    // 64 bytes of heap, written and given back.
    let mut number = 0_u64;
    group.bench_one("box", || {
        number += 1;
        assert_eq!(black_box(Box::new([number; 8]))[7], number);
    });
    let text = "a key of 20 letters.".to_owned();
    group.bench_one("string-clone", || assert_eq!(black_box(&text).clone().len(), 20));
    let start = Instant::now();
    group.bench_one("clock", || assert!(black_box(Instant::now()) >= start));
    // A system call that does nothing.
    let parent = getppid();
    group.bench_one("system-call", || assert_eq!(getppid(), parent));
}
