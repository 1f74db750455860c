//! A promise, what shows that it is kept, and the faults that are injected there and must be noticed.

use super::*;
use rayon::prelude::*;
use serde::Serialize;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};

pub(crate) struct Promise {
    /// Picks it on the command line.
    pub(crate) name: &'static str,
    /// What a user may rely on.
    pub(crate) promise: String,
    /// What it takes that is not everywhere.
    pub(crate) needs: &'static [Need],
    pub(crate) shown_by: fn(Run) -> Outcome,
    /// Something broken, and a part of the message by which it must be noticed: a failure with another
    /// message is not its doing.
    pub(crate) faults: Vec<(&'static str, &'static str)>,
}

/// Says why something is not here, if it isn't.
pub(crate) type Need = fn() -> Result<(), String>;

/// How often something was done of each kind, or what is wrong.
pub(crate) type Outcome = Result<Vec<Count>, String>;

impl Promise {
    /// Shows that it is kept.
    pub(crate) fn run(&self, run: Run) -> Outcome {
        let counts = (self.shown_by)(run)?;
        match counts.iter().find(|count| count.number < count.at_least) {
            Some(few) => Err(format!("{} {}, not {}", few.number, few.of, few.at_least)),
            None => Ok(counts),
        }
    }

    /// Injects each fault, and tries it at the usual length, which has to do.
    pub(crate) fn notices_its_faults(&self, run: Run) -> Result<(), String> {
        for &(fault, message) in &self.faults {
            match quietly(|| (self.shown_by)(Run { deep: false, fault, ..run })) {
                Err(noticed) if noticed.contains(message) => {}
                other => return Err(format!("{fault}: not noticed by `{message}`, but {other:?}")),
            }
        }
        Ok(())
    }
}

/// How a promise is tried.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// Where the random choices begin.
    pub(crate) seed: u64,
    /// For hours, not for minutes.
    pub(crate) deep: bool,
    /// Empty if none is injected.
    pub(crate) fault: &'static str,
}

impl Run {
    /// One of the two; of the usual number a debug build does a tenth.
    pub(crate) fn pick(self, usual: u64, deep: u64) -> u64 {
        match self.deep {
            true => deep,
            false if cfg!(debug_assertions) => usual.div_ceil(10),
            false => usual,
        }
    }

    /// So many seeds.
    pub(crate) fn seeds(self, usual: u64, deep: u64) -> Range<u64> {
        self.seed..self.seed + self.pick(usual, deep)
    }

    pub(crate) fn injects(self, fault: &str) -> bool {
        self.fault == fault
    }
}

/// How often something was done.
#[derive(Debug, Serialize)]
pub(crate) struct Count {
    pub(crate) number: u64,
    /// What was counted.
    pub(crate) of: String,
    /// With less, nothing is shown.
    #[serde(skip)]
    at_least: u64,
}

pub(crate) fn count(number: impl TryInto<u64>, of: impl Into<String>, at_least: u64) -> Count {
    Count { number: number.try_into().unwrap_or(u64::MAX), of: of.into(), at_least }
}

/// Does something for each of some numbers, many at a time. Returns all results, or one that is wrong.
pub(crate) fn for_each<T: Send>(
    numbers: Range<u64>,
    work: impl Fn(u64) -> Result<T, String> + Sync,
) -> Result<Vec<T>, String> {
    let work = |number| work(number).map_err(|error| format!("number {number}: {error}"));
    numbers.into_par_iter().map(work).collect()
}

/// The sum of each part of pairs.
pub(crate) fn sums<T: TryInto<u64>>(pairs: Vec<(T, T)>) -> (u64, u64) {
    let number = |number: T| number.try_into().unwrap_or(u64::MAX);
    pairs.into_iter().fold((0, 0), |all, one| (all.0 + number(one.0), all.1 + number(one.1)))
}

/// Whether panics are meant to be.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Panics print nothing while they are meant to be.
pub(crate) fn install_panic_hook() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !QUIET.load(Ordering::Relaxed) {
            print(info);
        }
    }));
}

/// Does something in which threads panic; if this one does, that is an error with its message.
pub(crate) fn quietly<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    QUIET.store(true, Ordering::Relaxed);
    let result = catch_unwind(AssertUnwindSafe(work));
    QUIET.store(false, Ordering::Relaxed);
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        Err(text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default())
    })
}

/// A promise fails that counts too little, or whose fault is not noticed, or noticed by another
/// message.
pub(crate) fn an_unnoticed_fault_fails() {
    fn kept() -> Outcome {
        Ok(vec![count(1, "writes", 1)])
    }
    let run = Run { seed: 0, deep: false, fault: "" };
    let of = |shown_by| {
        let faults = vec![("a fault", "k is lost")];
        let promise = Promise { name: "", promise: String::new(), needs: &[], shown_by, faults };
        promise.run(run).and_then(|_| promise.notices_its_faults(run))
    };
    of(|run| if run.injects("a fault") { Err("k is lost".into()) } else { kept() }).unwrap();
    of(|run| if run.injects("a fault") { panic!("k is lost") } else { kept() }).unwrap();
    of(|run| if run.injects("a fault") { Err("no disk".into()) } else { kept() }).unwrap_err();
    of(|_| kept()).unwrap_err();
    of(|_| Ok(vec![count(1, "writes", 2)])).unwrap_err();
    of(|_| Err("k is lost".into())).unwrap_err();
}
