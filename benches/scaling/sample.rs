//! What a record of this bench has.

use crate::record::{Machine, Record};
use crate::samples::Samples;
use crate::stage::Stage;
use crate::workloads::Work;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// All samples of a run.
pub(crate) type Scaling = Record<Conditions, Sample>;

/// Where the record is kept, below the root.
pub(crate) const RECORD: &str = "benches/results/scaling.json";

/// What has to be the same for samples that stand in one figure.
#[derive(PartialEq, Serialize, Deserialize)]
pub(crate) struct Conditions {
    #[serde(flatten)]
    pub(crate) machine: Machine,
    /// By the names of the stages.
    pub(crate) revision: String,
    pub(crate) keys: u64,
    pub(crate) value_bytes: usize,
    pub(crate) seconds: f64,
}

/// What one measurement found.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) work: Work,
    pub(crate) stage: Stage,
    pub(crate) threads: u32,
    pub(crate) figures: Figures,
}

/// By their names:
///
/// - `rate`: thousands of operations a second, of all threads or clients;
/// - `p50`, `p99`, `p999`, `longest`: how long an operation took, or the requests that a client sent
///   at once, in microseconds;
/// - `waits`, `preempted`: how often an operation's thread left the processor, to wait for something
///   or because it was another's turn; for a server, how often its threads did for a request;
/// - `sets`, `compactions`: what the thread beside those that are measured did, thousands of sets or so
///   many compactions a second;
/// - `cpu`: of the server's process, in microseconds a request.
pub(crate) type Figures = BTreeMap<String, f64>;

/// Rate and percentiles of operations that took so long, in nanoseconds.
pub(crate) fn latencies(times: &mut [u32], seconds: f64) -> Figures {
    times.sort_unstable();
    let count = times.len();
    let at = |thousandth: usize| {
        let time = times.get(count * thousandth / 1000).or(times.last());
        time.map_or(0.0, |&time| f64::from(time) / 1000.0)
    };
    let figures = [
        ("rate", count as f64 / seconds / 1000.0),
        ("p50", at(500)),
        ("p99", at(990)),
        ("p999", at(999)),
        ("longest", at(1000)),
    ];
    figures.map(|(name, figure)| (name.to_owned(), figure)).into()
}

/// A figure with four digits: more would be noise, and a longer record.
pub(crate) fn rounded(figure: f64) -> f64 {
    format!("{figure:.3e}").parse().unwrap_or(figure)
}

/// The numbers of threads that there are.
pub(crate) fn threads(samples: &[Sample]) -> BTreeSet<u32> {
    samples.iter().map(|sample| sample.threads).collect()
}

/// The figure of every round, if it was measured.
pub(crate) fn all(
    samples: &[Sample],
    work: Work,
    stage: Stage,
    threads: u32,
    figure: &str,
) -> Option<Samples> {
    let cell =
        samples.iter().filter(|s| s.work == work && s.stage == stage && s.threads == threads);
    Samples::new(cell.filter_map(|sample| sample.figures.get(figure).copied()))
}

/// The median of the rounds, if it was measured.
pub(crate) fn median(
    samples: &[Sample],
    work: Work,
    stage: Stage,
    threads: u32,
    figure: &str,
) -> Option<f64> {
    Some(all(samples, work, stage, threads, figure)?.median())
}
