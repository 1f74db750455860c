//! How often threads can do a thing, in a given time.

use crate::Outcome;
use crate::data::Random;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Lets so many threads work until the time is over. The rate of each, in thousands a second. The
/// same seed gives the threads the same random numbers.
pub(crate) fn rates(
    threads: u64,
    seconds: f64,
    seed: u64,
    work: &(impl Fn(u64, &mut Random) -> Outcome<()> + Sync),
) -> Outcome<Vec<f64>> {
    // Says only that the time is over; it guards no data, so the order of accesses does not matter.
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    let run = |thread| {
        let mut random = Random::new(seed << 32 | thread);
        let mut done = 0;
        loop {
            work(thread, &mut random)?;
            done += 1;
            if stop.load(Ordering::Relaxed) {
                return Ok(done);
            }
        }
    };
    let run = &run;
    let counts: Outcome<Vec<u64>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|n| scope.spawn(move || run(n))).collect();
        thread::sleep(Duration::from_secs_f64(seconds));
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().map(|t| t.join().map_err(|_| "a thread panicked")?).collect()
    });
    let time = start.elapsed().as_secs_f64() * 1000.0;
    Ok(counts?.into_iter().map(|count| count as f64 / time).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_call_fails_the_measurement() {
        let fail_on_one = |thread, _: &mut Random| match thread {
            1 => Err("it failed".into()),
            _ => Ok(()),
        };
        assert_eq!(rates(2, 0.0, 0, &fail_on_one).unwrap_err().to_string(), "it failed");
        let rates = rates(1, 0.0, 0, &fail_on_one).unwrap();
        assert!(rates.len() == 1 && rates[0] > 0.0);
    }
}
