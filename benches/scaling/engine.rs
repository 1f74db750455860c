//! Threads that call an engine.

use crate::Outcome;
use crate::data::{Key, Random, Values};
use crate::sample::{Figures, latencies};
use crate::stages::Store;
use crate::usage::Switches;
use crate::workloads::Work;
use std::fs;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const WARMING_UP: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// The bytes that are overwritten over and over to make a store compact. Few large values take less
/// time than many small ones do, so that more of the writer's time goes into compaction.
const CHURNED: usize = 1 << 20;

/// What is the same for all cells.
pub(crate) struct Bench {
    pub(crate) keys: u64,
    pub(crate) values: Values,
    pub(crate) churned: String,
    pub(crate) seconds: f64,
}

impl Bench {
    pub(crate) fn new(keys: u64, value_bytes: usize, seconds: f64) -> Bench {
        Bench { keys, values: Values::new(value_bytes), churned: "x".repeat(CHURNED), seconds }
    }

    /// Sets every key.
    pub(crate) fn fill(&self, store: &mut dyn Store) -> Outcome<()> {
        (0..self.keys).try_for_each(|number| {
            store.set(Key::new(number).as_str().to_owned(), self.values.make(number, 0))
        })
    }

    /// Lets so many threads work on a filled store until the time is over, after a quarter of it for
    /// warming up. In `Compacting` and `BesideWriter` there is one more, which is not measured.
    pub(crate) fn measure(
        &self,
        work: Work,
        store: &mut dyn Store,
        threads: u32,
    ) -> Outcome<Figures> {
        let others = u32::from(matches!(work, Work::BesideWriter | Work::Compacting));
        let shares: Option<Vec<_>> = (1..threads + others).map(|_| store.another()).collect();
        let mut shares = shares.ok_or("this store cannot be shared")?;
        let stores = shares.iter_mut().map(|share| &mut **share).chain([store]);
        let phase = Phase::default();
        let phase = &phase;
        thread::scope(|scope| {
            let mut running = Vec::new();
            for (number, store) in (0..).zip(stores) {
                let run = move || {
                    let mut random = Random::new(number);
                    match work {
                        Work::BesideWriter if number == u64::from(threads) => {
                            phase.repeat(&phase.other, || self.set(store, &mut random))
                        }
                        Work::Compacting if number == u64::from(threads) => {
                            phase.repeat(&phase.other, || self.churn(store))
                        }
                        _ => phase.repeat(&phase.measured, || {
                            if random.below(100) < work.sets() {
                                self.set(store, &mut random)
                            } else {
                                self.get(store, &mut random)
                            }
                        }),
                    }
                };
                running.push(scope.spawn(run));
            }
            let is_over = || {
                let counted = |count: &AtomicU64| count.load(Ordering::Relaxed) > 0;
                counted(&phase.measured) && (others == 0 || counted(&phase.other))
            };
            thread::sleep(Duration::from_secs_f64(self.seconds / 4.0));
            let start = Instant::now();
            phase.now.store(MEASURING, Ordering::Relaxed);
            thread::sleep(Duration::from_secs_f64(self.seconds * work.longer()));
            // A short time may see nothing done: then it lasts until something is, or all have failed.
            while !is_over() && !running.iter().all(|thread| thread.is_finished()) {
                thread::sleep(Duration::from_millis(1));
            }
            phase.now.store(OVER, Ordering::Relaxed);
            let seconds = start.elapsed().as_secs_f64();

            let (mut seen, mut other) = (Seen::default(), Seen::default());
            for (number, thread) in (0..).zip(running) {
                let part = thread.join().map_err(|_| "a thread panicked")??;
                if number < threads { seen.add(part) } else { other.add(part) }
            }
            let mut figures = latencies(&mut seen.latencies, seconds);
            let per_operation = |count| count as f64 / seen.latencies.len() as f64;
            figures.insert("waits".to_owned(), per_operation(seen.switches.voluntary));
            figures.insert("preempted".to_owned(), per_operation(seen.switches.forced));
            let done = other.latencies.len() as f64 / seconds;
            match work {
                Work::BesideWriter => figures.insert("sets".to_owned(), done / 1000.0),
                Work::Compacting => figures.insert("compactions".to_owned(), done),
                _ => None,
            };
            Ok(figures)
        })
    }

    fn get(&self, store: &mut dyn Store, random: &mut Random) -> Outcome<Duration> {
        let number = random.below(self.keys);
        let key = Key::new(number).as_str().to_owned();
        let start = Instant::now();
        let value = store.get(key)?;
        let time = start.elapsed();
        let value = value.ok_or_else(|| format!("key {number} has no value"))?;
        self.values.check(number, value.as_bytes())?;
        Ok(time)
    }

    fn set(&self, store: &mut dyn Store, random: &mut Random) -> Outcome<Duration> {
        let number = random.below(self.keys);
        let key = Key::new(number).as_str().to_owned();
        let value = self.values.make(number, random.next());
        let start = Instant::now();
        store.set(key, value)?;
        Ok(start.elapsed())
    }

    /// A compaction, and then a rest that is as long: a stage whose readers wait for it loses half of
    /// its time, however long its compactions are.
    fn churn(&self, store: &mut dyn Store) -> Outcome<Duration> {
        let start = Instant::now();
        store.churn("another key", &self.churned)?;
        let time = start.elapsed();
        thread::sleep(time);
        Ok(time)
    }
}

/// Which part of a measurement it is. It guards no data, and neither do the counters, so the order of
/// accesses does not matter.
#[derive(Default)]
struct Phase {
    now: AtomicU8,
    /// How many of the threads that are measured have done something since it began, and of others.
    measured: AtomicU64,
    other: AtomicU64,
}

/// What one thread did, or all of them, in the time of the measurement.
#[derive(Default)]
struct Seen {
    /// How long each operation took, in nanoseconds.
    latencies: Vec<u32>,
    switches: Switches,
}

impl Seen {
    fn add(&mut self, other: Seen) {
        self.latencies.extend(other.latencies);
        self.switches = self.switches + other.switches;
    }
}

impl Phase {
    /// Does a thing over and over; it says how long it took.
    fn repeat(
        &self,
        started: &AtomicU64,
        mut work: impl FnMut() -> Outcome<Duration>,
    ) -> Outcome<Seen> {
        let mut seen = Seen::default();
        let mut before = Switches::default();
        loop {
            let time = work()?;
            match self.now.load(Ordering::Relaxed) {
                WARMING_UP => {}
                MEASURING => {
                    if seen.latencies.is_empty() {
                        before = switches()?;
                        started.fetch_add(1, Ordering::Relaxed);
                    }
                    seen.latencies.push(u32::try_from(time.as_nanos()).unwrap_or(u32::MAX));
                }
                _ => {
                    // A thread that did nothing in that time has nothing to be compared with.
                    if !seen.latencies.is_empty() {
                        seen.switches = switches()?.since(before);
                    }
                    return Ok(seen);
                }
            }
        }
    }
}

/// Those of this thread.
fn switches() -> Outcome<Switches> {
    Ok(Switches::parse(&fs::read_to_string("/proc/thread-self/status")?))
}
