//! What is counted, as it stands in the record.
#![allow(dead_code)] // a test that only reads uses a part

use crate::record::{self, Machine};
use crate::stage::Stage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(crate) type Record = record::Record<Conditions, Sample>;

/// What has to be the same for all samples of one record.
#[derive(PartialEq, Serialize, Deserialize)]
pub(crate) struct Conditions {
    #[serde(flatten)]
    pub(crate) machine: Machine,
    pub(crate) revision: String,
    pub(crate) value_bytes: usize,
    /// For each tool, since with `strace` everything takes longer.
    pub(crate) amounts: BTreeMap<Tool, Amount>,
}

/// How much there is to do.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Amount {
    pub(crate) keys: u64,
    /// Of all threads.
    pub(crate) operations: u64,
}

/// What one tool counted in one round, an operation.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) stage: Stage,
    pub(crate) work: Work,
    pub(crate) threads: u64,
    pub(crate) tool: Tool,
    pub(crate) round: u32,
    #[serde(flatten)]
    pub(crate) counts: Counts,
}

/// How often something happened, by its name: a system call, `calls` for all of them, and what else
/// `perf` counts.
pub(crate) type Counts = BTreeMap<String, f64>;

/// A program that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tool {
    Perf,
    Strace,
}

impl Tool {
    pub(crate) const ALL: [Tool; 2] = [Tool::Perf, Tool::Strace];
}

/// What the threads do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    /// They get.
    Read,
    /// They set.
    Write,
    /// They get 95 times of 100, and set.
    Mixed,
}

impl Work {
    pub(crate) const ALL: [Work; 3] = [Work::Read, Work::Write, Work::Mixed];

    /// How many of 100 operations are sets.
    pub(crate) fn sets(self) -> u64 {
        match self {
            Work::Read => 0,
            Work::Write => 100,
            Work::Mixed => 5,
        }
    }
}
