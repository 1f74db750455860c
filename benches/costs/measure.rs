//! How a cost is found: Criterion says how often something is done, and takes the time.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion};
use kvs_bench_kit::record::Figures;
use kvs_bench_kit::usage::Switches;
use std::hint::black_box;
use std::ops::Range;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// All costs of one run.
pub(crate) struct Costs {
    pub(crate) criterion: Criterion,
    /// What was measured, as it is named in the record, and what Criterion doesn't measure of it, an
    /// operation.
    pub(crate) found: Vec<(String, Figures)>,
}

/// The costs of one kind.
pub(crate) struct Group<'a> {
    name: &'static str,
    group: BenchmarkGroup<'a, WallTime>,
    found: &'a mut Vec<(String, Figures)>,
}

impl Costs {
    pub(crate) fn group(&mut self, name: &'static str) -> Group<'_> {
        Group { name, group: self.criterion.benchmark_group(name), found: &mut self.found }
    }
}

impl Group<'_> {
    /// Something that `run` does so many times as it is told, with so many threads.
    pub(crate) fn bench(&mut self, name: &str, threads: usize, mut run: impl FnMut(u64) -> Run) {
        let (mut operations, mut counts) = (0, Figures::new());
        self.group.bench_function(BenchmarkId::new(name, threads), |bencher| {
            bencher.iter_custom(|times| {
                let run = run(times);
                operations += times;
                for (name, count) in run.counts {
                    *counts.entry(name.to_owned()).or_default() += count;
                }
                run.time
            });
        });
        // Nothing, if the command line names others.
        if operations > 0 {
            counts.values_mut().for_each(|count| *count /= operations as f64);
            self.found.push((format!("{}/{name}/{threads}", self.name), counts));
        }
    }

    /// Something that one thread does over and over.
    pub(crate) fn bench_one<T>(&mut self, name: &str, mut work: impl FnMut() -> T) {
        self.bench(name, 1, |times| {
            timed(|| {
                for _ in 0..times {
                    black_box(work());
                }
            })
        });
    }

    /// Something that several threads do with one thing: made, used by a thread that knows its number,
    /// and checked when it was used so many times.
    pub(crate) fn bench_shared<T: Sync>(
        &mut self,
        name: &str,
        threads: usize,
        make: impl Fn() -> T,
        work: impl Fn(&T, usize) + Sync,
        check: impl Fn(T, u64),
    ) {
        self.bench(name, threads, |times| {
            let shared = make();
            let run = together(times, threads, |thread, operations| {
                operations.for_each(|_| work(&shared, thread));
            });
            check(shared, times);
            run
        });
    }

    /// For a cost whose operation takes longer than it says.
    pub(crate) fn briefly(mut self) -> Self {
        self.group.measurement_time(Duration::from_millis(10));
        self
    }
}

/// What was found while something was done many times.
pub(crate) struct Run {
    pub(crate) time: Duration,
    /// How often something happened.
    pub(crate) counts: Vec<(&'static str, f64)>,
}

/// The time that some work takes, and how often the threads of this process leave their core.
pub(crate) fn timed(work: impl FnOnce()) -> Run {
    let before = Switches::of_this_process().unwrap();
    let start = Instant::now();
    work();
    let time = start.elapsed();
    let switches = Switches::of_this_process().unwrap() - before;
    let counts = vec![
        ("voluntary-switches", switches.voluntary as f64),
        ("involuntary-switches", switches.forced as f64),
    ];
    Run { time, counts }
}

/// Has several threads do something so many times in all. `work` is told which thread it is, and the
/// numbers of the operations that are next.
///
/// Each takes the next few when it has done its own, and not a fixed share: one that was luckier than
/// the others would leave them alone at the end, without the contention that is measured.
pub(crate) fn together(times: u64, threads: usize, work: impl Fn(usize, Range<u64>) + Sync) -> Run {
    let few = (times / (64 * threads as u64)).clamp(1, 1024);
    let ready = Barrier::new(threads + 1);
    // Says only who does what; it guards no data.
    let next = AtomicU64::new(0);
    let life = |thread| {
        ready.wait();
        loop {
            let first = next.fetch_add(few, Ordering::Relaxed);
            if first >= times {
                break;
            }
            work(thread, first..times.min(first + few));
        }
    };
    thread::scope(|scope| {
        let life = &life;
        let workers: Vec<_> = (0..threads).map(|n| scope.spawn(move || life(n))).collect();
        timed(|| {
            ready.wait();
            workers.into_iter().for_each(|worker| worker.join().unwrap());
        })
    })
}
