//! A row of the table: a promise, what shows it, and what would be noticed if it were broken.

use std::any::Any;
use std::cell::Cell;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{mem, num::NonZero, thread};

/// How much is done, and with which choices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// For hours instead of minutes.
    pub(crate) deep: bool,
    /// Where the arbitrary choices begin.
    pub(crate) seed: u64,
}

impl Size {
    pub(crate) fn pick<T>(self, usual: T, deep: T) -> T {
        if self.deep { deep } else { usual }
    }
}

/// How often something was done.
#[derive(Clone, Debug)]
pub(crate) struct Count {
    pub(crate) number: u64,
    /// What was counted.
    pub(crate) of: String,
    /// With less the row proves nothing.
    at_least: u64,
}

/// So many; with fewer than `at_least` the row fails.
pub(crate) fn count(number: impl TryInto<u64>, of: impl Into<String>, at_least: u64) -> Count {
    Count { number: number.try_into().unwrap_or(u64::MAX), of: of.into(), at_least }
}

/// Why there are no counts.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It cannot be tried here.
    Skipped(String),
    Failed {
        seed: u64,
        error: String,
    },
}

pub(crate) type Outcome = Result<Vec<Count>, Stop>;

/// A failure, with the seed that leads to it.
pub(crate) fn failed(seed: u64) -> impl Fn(String) -> Stop {
    move |error| Stop::Failed { seed, error }
}

/// Something broken, what becomes of it, and words of the failure by which it is noticed: one with
/// other words is not its doing.
pub(crate) type Planted = (&'static str, fn(Size) -> Outcome, &'static str);

pub(crate) struct Row {
    /// Picks it on the command line.
    pub(crate) name: &'static str,
    /// Sentence by sentence what a user may rely on.
    pub(crate) promise: &'static str,
    pub(crate) show: fn(Size) -> Outcome,
    /// Each of them must fail.
    pub(crate) planted: &'static [Planted],
}

impl Row {
    /// Shows it, and that what is planted is noticed.
    pub(crate) fn run(&self, size: Size) -> Outcome {
        let counts = caught(size, self.show)?;
        for (what, plant, words) in self.planted {
            match caught(size, *plant) {
                Err(Stop::Failed { error, .. }) if error.contains(words) => {}
                other => {
                    let error = format!("{what}: not noticed by `{words}`, but {other:?}");
                    return Err(failed(size.seed)(error));
                }
            }
        }
        Ok(counts)
    }
}

/// Whether a row fails whose plant is not noticed, or fails with other words, and one that counts too
/// little.
pub(crate) fn bites() -> Result<(), String> {
    let size = Size { deep: false, seed: 0 };
    let well = |_| Ok(Vec::new());
    let row = |show, planted| Row { name: "", promise: "", show, planted }.run(size);
    let good = row(well, &[("a plant", |_| Err(failed(0)("lost: k".to_owned())), "lost")]);
    let bad = [
        row(well, &[("a plant", |_| Ok(Vec::new()), "lost")]),
        row(well, &[("a plant", |_| Err(failed(0)("no disk".to_owned())), "lost")]),
        row(well, &[("a plant", |_| Err(Stop::Skipped("lost".to_owned())), "lost")]),
        row(|_| Ok(vec![count(1, "writes", 2)]), &[]),
    ];
    let has_failed = |row: &Outcome| matches!(row, Err(Stop::Failed { .. }));
    match good.is_ok() && bad.iter().all(has_failed) {
        true => Ok(()),
        false => Err("a row holds although what is planted in it is not noticed".to_owned()),
    }
}

/// A panic is a failure, and so is too small a count.
fn caught(size: Size, show: fn(Size) -> Outcome) -> Outcome {
    let failed = failed(size.seed);
    let counts = catch_unwind(|| show(size)).unwrap_or_else(|panic| Err(failed(words(&*panic))))?;
    match counts.iter().find(|count| count.number < count.at_least) {
        None => Ok(counts),
        Some(few) => Err(failed(format!("{} {}, not {}", few.number, few.of, few.at_least))),
    }
}

/// The panic that was reported last, of whichever thread.
static LAST: Mutex<String> = Mutex::new(String::new());

// Where this thread panicked last, and the panic before that.
thread_local!(static PLACE: Cell<(String, String)> = Cell::default());

/// Many jobs panic on purpose, and a row says by itself what it died of.
pub(crate) fn note_panics_and_print_nothing() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let said = format!("{} at {place}", said(info.payload()));
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        PLACE.set((place, mem::replace(&mut last, said)));
    }));
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic")
}

/// What a panic of this thread said, and where.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = said(panic);
    let (place, before) = PLACE.take();
    // Who waits for a thread that panicked learns that it did, and no more.
    match text.ends_with("Any { .. }") || text == "a scoped thread panicked" {
        true => format!("{before}, seen at {place}"),
        false => format!("{text} at {place}"),
    }
}

/// Does the work of each seed, on all cores. Returns the results in the order of the seeds, or how
/// the first one that failed did so.
pub(crate) fn over<T: Send>(
    seeds: Range<u64>,
    work: impl Fn(u64) -> Result<T, String> + Sync,
) -> Result<Vec<T>, Stop> {
    dealt(seeds, work).map_err(|(seed, error)| failed(seed)(error))
}

/// The same for each of some numbers, all of which belong to one seed: it repeats the failure.
pub(crate) fn each<T: Send>(
    seed: u64,
    numbers: Range<u64>,
    work: impl Fn(u64) -> Result<T, String> + Sync,
) -> Result<Vec<T>, Stop> {
    let error = |(number, error)| failed(seed)(format!("number {number}: {error}"));
    dealt(numbers, work).map_err(error)
}

fn dealt<T: Send>(
    numbers: Range<u64>,
    work: impl Fn(u64) -> Result<T, String> + Sync,
) -> Result<Vec<T>, (u64, String)> {
    // Numbers are only dealt out by it: `Relaxed`.
    let next = AtomicU64::new(numbers.start);
    let mine = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end {
                return done;
            }
            let result = catch_unwind(AssertUnwindSafe(|| work(number)));
            let result = result.unwrap_or_else(|panic| Err(words(&*panic)));
            if result.is_err() {
                next.store(numbers.end, Ordering::Relaxed);
            }
            done.push((number, result));
        }
    };
    let mut done: Vec<(u64, Result<T, String>)> = thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(mine)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(number, result)| result.map_err(|error| (number, error))).collect()
}
