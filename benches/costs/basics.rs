//! The smallest things, to compare the others with, and a piece of work that takes a microsecond.

use crate::measure::{Cost, Variant};
use rustix::process::getppid;
use std::hint::black_box;
use std::time::{Duration, Instant};

pub(crate) fn costs(work: Work) -> Vec<Cost> {
    let variants = vec![
        Variant::repeated("work", move |times| (0..times).for_each(|_| work.run())),
        Variant::repeated("box", |times| {
            for number in 0..times {
                assert_eq!(black_box(Box::new([number; 8]))[7], number);
            }
        }),
        Variant::repeated("string-clone", |times| {
            let text = "a key of 20 letters.".to_owned();
            for _ in 0..times {
                assert_eq!(black_box(&text).clone().len(), 20);
            }
        }),
        Variant::repeated("clock", |times| {
            let start = Instant::now();
            for _ in 0..times {
                assert!(black_box(Instant::now()) >= start);
            }
        }),
        Variant::repeated("system-call", |times| {
            let parent = getppid();
            for _ in 0..times {
                assert_eq!(getppid(), parent);
            }
        }),
    ];
    let operation = "each its own: a microsecond of work, as in other tables; 64 bytes of heap, \
                     written and given back; a copy of a `String`; a look at the clock; a system \
                     call that does nothing";
    vec![Cost { name: "basics", operation, variants }]
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
