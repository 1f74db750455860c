//! The smallest things, to compare the others with, and a piece of work that takes a microsecond.

use crate::measure::Costs;
use rustix::process::getppid;
use std::hint::black_box;
use std::time::{Duration, Instant};

pub(crate) fn costs(costs: &mut Costs, work: Work) {
    let mut group = costs.group("basics");
    group.bench_one("work", || work.run());
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

/// Work that takes about a microsecond of a core.
///
/// It is so many steps and not so much time: a thread that watched the clock would seem to work
/// while others have its core.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    steps: u32,
}

impl Work {
    /// Finds out how many steps a microsecond is on this machine. The fastest of several tries,
    /// because what disturbs one only makes it slower.
    pub(crate) fn calibrated() -> Work {
        let work = Work { steps: 1_000_000 };
        let tries = (0..10).map(|_| {
            let start = Instant::now();
            work.run();
            start.elapsed()
        });
        let fastest = tries.min().unwrap_or(Duration::MAX).as_secs_f64();
        Work { steps: (f64::from(work.steps) * 1e-6 / fastest).ceil() as u32 }
    }

    pub(crate) fn run(self) {
        for step in 0..self.steps {
            black_box(step);
        }
    }
}
