//! The record of the six benches, and its table in Markdown.

use crate::record::{self, Machine};
use crate::samples::{Samples, row};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Where the record is, and the text with its table, below the root; and the line before the table.
pub(crate) const RECORD: &str = "benches/results/queued.json";
pub(crate) const TEXT: &str = "benches/README.md";
pub(crate) const BEGIN: &str =
    "<!-- tables of queued: made from the record, changed by nobody -->\n";

pub(crate) const BENCHES: [&str; 6] = [
    "write_queued_kvstore",
    "read_queued_kvstore",
    "write_queued_rayon",
    "read_queued_rayon",
    "write_queued_sled",
    "read_queued_sled",
];

/// The bench whose clients do nothing.
pub(crate) const NULL: &str = "null";

pub(crate) type Record = record::Record<Conditions, Sample>;

/// What has to be the same for all samples of one record.
#[derive(PartialEq, Serialize, Deserialize)]
pub(crate) struct Conditions {
    #[serde(flatten)]
    pub(crate) machine: Machine,
    pub(crate) revision: String,
    /// Each has one request an iteration.
    pub(crate) clients: usize,
    /// How many of them are under way at a time.
    pub(crate) at_once: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Connection {
    /// One for each request.
    Each,
    /// From before the measurement on.
    Kept,
    /// There is no server.
    None,
}

/// What Criterion has estimated in one run.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) bench: String,
    /// Of the server's pool.
    pub(crate) threads: u32,
    pub(crate) connection: Connection,
    pub(crate) round: u32,
    /// An iteration.
    pub(crate) seconds: f64,
}

/// What it was measured on, and a line for each bench: milliseconds an iteration, with a connection for each request and with
/// kept ones, by the number of threads.
pub(crate) fn table(record: &Record) -> String {
    let (samples, machine) = (&record.samples, &record.conditions.machine);
    let rounds = samples.iter().map(|sample| sample.round).max().unwrap_or(0);
    let threads: BTreeSet<u32> = samples.iter().map(|s| s.threads).filter(|n| *n > 0).collect();
    let columns: Vec<(Connection, u32)> = [Connection::Each, Connection::Kept]
        .into_iter()
        .flat_map(|connection| threads.iter().map(move |&threads| (connection, threads)))
        .collect();
    let title = |&(connection, threads): &(Connection, u32)| match connection {
        Connection::Each => format!("one each, {threads}"),
        _ => format!("kept, {threads}"),
    };
    let cell = |bench: &str, (connection, threads)| {
        let of_it = |s: &&Sample| {
            (s.bench.as_str(), s.connection, s.threads) == (bench, connection, threads)
        };
        let figures = Samples::new(samples.iter().filter(of_it).map(|s| s.seconds * 1e3));
        figures.map_or(String::new(), |figures| figures.words())
    };
    let line = |bench: &str| {
        row::<String>(bench, columns.iter().map(|&column| cell(bench, column)), []) + "\n"
    };
    let head = "ms an iteration; connection, threads of the pool";
    format!(
        "{}, {} cores, {} GiB; Linux {}, {}; {}, revision {}; rounds: {rounds}; `{NULL}`: {} ms an iteration.\n\n\
         {}\n|---|{}\n{}",
        machine.cpu,
        machine.cores,
        machine.memory_gib,
        machine.kernel,
        machine.file_system,
        record.date,
        record.conditions.revision,
        cell(NULL, (Connection::None, 0)),
        row::<String>(head, columns.iter().map(title), []),
        "--:|".repeat(columns.len()),
        BENCHES.map(line).concat(),
    )
}
