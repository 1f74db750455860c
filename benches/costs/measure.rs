//! How a price is found: something is done many times, and the time is divided by how many.

use nix::sys::resource::{UsageWho, getrusage};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What one measurement found, by name. In seconds, bytes, or times an operation.
pub(crate) type Figures = BTreeMap<String, f64>;

/// Prices of one kind.
pub(crate) struct Cost {
    pub(crate) name: &'static str,
    /// What one operation is.
    pub(crate) operation: &'static str,
    pub(crate) variants: Vec<Variant>,
}

pub(crate) struct Variant {
    pub(crate) name: &'static str,
    pub(crate) threads: usize,
    /// Measures for about so long.
    pub(crate) measure: Box<dyn Fn(Duration) -> Figures>,
}

impl Variant {
    pub(crate) fn new(
        name: &'static str,
        threads: usize,
        measure: impl Fn(Duration) -> Figures + 'static,
    ) -> Variant {
        Variant { name, threads, measure: Box::new(measure) }
    }

    /// One whose measurement is to do something so many times, on one thread.
    pub(crate) fn repeated(name: &'static str, work: impl Fn(u64) + 'static) -> Variant {
        Variant::new(name, 1, move |budget| repeat(budget, |times| timed(times, || work(times))))
    }
}

/// The time, and how often the threads of this process have left their core, since the start.
struct Clock {
    switches: [f64; 2],
    start: Instant,
}

impl Clock {
    fn start() -> Clock {
        Clock { switches: switches(), start: Instant::now() }
    }

    fn stop(self, operations: u64) -> Figures {
        let seconds = self.start.elapsed().as_secs_f64() / operations as f64;
        let mut figures = self.switches(operations);
        figures.insert("seconds".to_owned(), seconds);
        figures
    }

    fn switches(&self, operations: u64) -> Figures {
        let now = switches();
        let each = |which: usize| (now[which] - self.switches[which]) / operations as f64;
        Figures::from([
            ("voluntary_switches".to_owned(), each(0)),
            ("involuntary_switches".to_owned(), each(1)),
        ])
    }
}

/// How often a thread of this process had to wait and left its core, and how often the core was
/// taken from one. Also of those that have ended.
fn switches() -> [f64; 2] {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    [usage.voluntary_context_switches() as f64, usage.involuntary_context_switches() as f64]
}

/// The figures of `work`, which does as many operations.
pub(crate) fn timed(operations: u64, work: impl FnOnce()) -> Figures {
    let clock = Clock::start();
    work();
    clock.stop(operations)
}

/// Has something done more and more often, until that takes as long as it should. The figures are
/// those of the last time.
///
/// How long once takes is known from the fastest of several times: a machine that was busy with
/// something else for a moment must not end the measurement after one operation.
pub(crate) fn repeat(budget: Duration, run: impl Fn(u64) -> Figures) -> Figures {
    let (mut turns, mut times, mut fastest) = (0, 1_u64, f64::INFINITY);
    loop {
        turns += 1;
        let start = Instant::now();
        let figures = run(times);
        fastest = fastest.min(start.elapsed().as_secs_f64() / times as f64);
        let missing = budget.as_secs_f64() / (fastest * times as f64);
        if turns >= 3 && missing <= 1.0 {
            return figures;
        }
        // Aims a little too far, so that the next time is mostly the last.
        times = (times as f64 * (1.2 * missing).clamp(1.0, 100.0)).ceil() as u64;
    }
}

/// What several threads did at once.
pub(crate) struct Together {
    /// From the start of the first to the end of the last.
    seconds: f64,
    /// The operations of each.
    pub(crate) done: Vec<u64>,
    switches: Figures,
}

impl Together {
    pub(crate) fn operations(&self) -> u64 {
        self.done.iter().sum()
    }

    /// The time from one operation to the next, whichever of these threads does it.
    pub(crate) fn seconds(&self, threads: Range<usize>) -> f64 {
        self.seconds / self.done[threads].iter().sum::<u64>() as f64
    }

    pub(crate) fn figures(self) -> Figures {
        let seconds = self.seconds(0..self.done.len());
        let mut figures = self.switches;
        figures.insert("seconds".to_owned(), seconds);
        figures
    }
}

/// How many operations a thread does before it looks whether the time is over.
const BATCH: u64 = 64;

/// Runs `work` on several threads for so long. It is told which thread it is, and the numbers of
/// the operations that are next.
///
/// The threads stop when the time is over and not after so many operations: one that was luckier
/// than the others would leave them alone at the end, without the contention that is measured.
pub(crate) fn together(
    budget: Duration,
    threads: usize,
    work: impl Fn(usize, Range<u64>) + Sync,
) -> Together {
    let ready = Barrier::new(threads + 1);
    // Says only that the time is over; it guards no data.
    let over = AtomicBool::new(false);
    let life = |thread| {
        let mut done = 0;
        ready.wait();
        let start = Instant::now();
        while !over.load(Ordering::Relaxed) {
            work(thread, done..done + BATCH);
            done += BATCH;
        }
        (done, start, Instant::now())
    };
    thread::scope(|scope| {
        let life = &life;
        let workers: Vec<_> = (0..threads).map(|n| scope.spawn(move || life(n))).collect();
        ready.wait();
        let clock = Clock::start();
        thread::sleep(budget);
        over.store(true, Ordering::Relaxed);
        let lives: Vec<_> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
        let done: Vec<u64> = lives.iter().map(|(done, ..)| *done).collect();
        let starts = lives.iter().map(|(_, start, _)| *start);
        let ends = lives.iter().map(|(.., end)| *end);
        let span = ends.max().zip(starts.min()).map(|(end, start)| end - start);
        let switches = clock.switches(done.iter().sum());
        Together { seconds: span.unwrap_or_default().as_secs_f64(), done, switches }
    })
}
