//! Threads that repeat something until the time is over.

use crate::Outcome;
use crate::record::Figures;
use crate::usage::waits_of_this_thread;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread::{Builder, sleep};
use std::time::{Duration, Instant};

/// A thousand threads with little to remember.
const STACK: usize = 512 << 10;

const WARMING_UP: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// What a thread repeats; it says how long it took.
pub type Work<'a> = Box<dyn FnMut() -> Outcome<Duration> + Send + 'a>;

/// What one thread did in the time of the measurement, or several.
#[derive(Default)]
pub struct Done {
    /// How long each turn took, in nanoseconds.
    pub latencies: Vec<u32>,
    /// How often the thread left its processor to wait for something.
    pub waits: u64,
}

/// What all threads did, and what somebody else saw when the measurement began and when it ended.
pub struct Measured<T> {
    /// Of each thread.
    pub done: Vec<Done>,
    /// How long it was.
    pub seconds: f64,
    /// What was seen at the beginning.
    pub before: T,
    /// What was seen at the end.
    pub after: T,
}

/// Gives each work a thread, and lets all repeat it until the time is over, after a quarter of it for
/// warming up.
///
/// # Errors
/// If one of them fails.
pub fn repeat<T>(
    seconds: f64,
    works: Vec<Work<'_>>,
    look: impl Fn() -> Outcome<T>,
) -> Outcome<Measured<T>> {
    let phase = Phase::default();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for work in works {
            let phase = &phase;
            let thread = Builder::new().stack_size(STACK);
            let thread = thread.spawn_scoped(scope, move || phase.repeat(work));
            // Those that run already must not run for ever.
            threads.push(thread.inspect_err(|_| phase.now.store(OVER, Ordering::Relaxed))?);
        }
        sleep(Duration::from_secs_f64(seconds / 4.0));
        let before = look();
        let start = Instant::now();
        phase.now.store(MEASURING, Ordering::Relaxed);
        sleep(Duration::from_secs_f64(seconds));
        // A short time on a busy machine may see a thread do nothing: then it lasts until all have
        // done something, or failed.
        let ended = || threads.iter().filter(|thread| thread.is_finished()).count();
        while phase.begun.load(Ordering::Relaxed) + ended() < threads.len() {
            sleep(Duration::from_millis(1));
        }
        phase.now.store(OVER, Ordering::Relaxed);
        let seconds = start.elapsed().as_secs_f64();
        let after = look();
        let done =
            threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?);
        let done = done.collect::<Outcome<Vec<Done>>>()?;
        Ok(Measured { done, seconds, before: before?, after: after? })
    })
}

/// Which part of a measurement it is, and how many threads have done something in it. It guards no
/// data, so the order of accesses does not matter.
#[derive(Default)]
struct Phase {
    now: AtomicU8,
    begun: AtomicUsize,
}

impl Phase {
    fn repeat(&self, mut work: Work<'_>) -> Outcome<Done> {
        let mut done = Done::default();
        let mut before = 0;
        loop {
            let time = work()?;
            match self.now.load(Ordering::Relaxed) {
                WARMING_UP => {}
                MEASURING => {
                    if done.latencies.is_empty() {
                        before = waits_of_this_thread()?;
                        self.begun.fetch_add(1, Ordering::Relaxed);
                    }
                    done.latencies.push(u32::try_from(time.as_nanos()).unwrap_or(u32::MAX));
                }
                _ => {
                    // A thread that did nothing in that time has nothing to be compared with.
                    if !done.latencies.is_empty() {
                        done.waits = waits_of_this_thread()? - before;
                    }
                    return Ok(done);
                }
            }
        }
    }
}

impl Done {
    /// What several did together.
    pub fn sum(all: impl IntoIterator<Item = Done>) -> Done {
        let mut sum = Done::default();
        for done in all {
            sum.latencies.extend(done.latencies);
            sum.waits += done.waits;
        }
        sum
    }

    /// `rate` of turns a second, and how long they took: `p50`, `p99`, `p999` and the `longest`, in
    /// seconds.
    pub fn figures(&mut self, seconds: f64) -> Figures {
        self.latencies.sort_unstable();
        let count = self.latencies.len();
        let at = |thousandth: usize| {
            let time = self.latencies.get(count * thousandth / 1000).or(self.latencies.last());
            time.map_or(0.0, |&time| f64::from(time) / 1e9)
        };
        let figures = [
            ("rate", count as f64 / seconds),
            ("p50", at(500)),
            ("p99", at(990)),
            ("p999", at(999)),
            ("longest", at(1000)),
        ];
        figures.map(|(name, figure)| (name.to_owned(), figure)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_lasts_until_each_thread_has_done_something() {
        let slow = || {
            sleep(Duration::from_millis(20));
            Ok(Duration::from_millis(20))
        };
        let measured = repeat(0.001, vec![Box::new(slow), Box::new(slow)], || Ok(())).unwrap();
        assert!(measured.done.iter().all(|done| !done.latencies.is_empty()));
        let figures = Done::sum(measured.done).figures(measured.seconds);
        assert_eq!(figures["longest"], 0.02);
    }

    #[test]
    fn a_thread_that_fails_fails_the_measurement() {
        let fails = || Err("it failed".into());
        let error = repeat(0.001, vec![Box::new(fails)], || Ok(())).err().unwrap();
        assert_eq!(error.to_string(), "it failed");
    }
}
