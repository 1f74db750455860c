//! The medians, as tables in Markdown.

use crate::sample::{Sample, Scaling, median, threads};
use crate::samples::{number, row};
use crate::stage::Stage;
use crate::workloads::Work;

/// What the tables show of each workload.
const SHOWN: [(&str, &str); 4] = [
    ("rate", "thousands of operations a second"),
    ("p99", "99th percentile, µs"),
    ("longest", "the longest, µs"),
    ("waits", "waits an operation"),
];

/// The tables of all workloads that were measured, each with a line for each stage.
pub(crate) fn markdown(record: &Scaling) -> String {
    let tables = |work| SHOWN.iter().filter_map(move |shown| table(&record.samples, work, *shown));
    Work::ALL.into_iter().flat_map(tables).collect::<Vec<_>>().join("\n")
}

fn table(samples: &[Sample], work: Work, (figure, what): (&str, &str)) -> Option<String> {
    let threads = threads(samples);
    let lines = Stage::ALL.into_iter().filter_map(|stage| {
        let cells = threads.iter().map(|&n| median(samples, work, stage, n, figure));
        let cells: Vec<_> = cells.collect();
        let words = |cell: Option<f64>| cell.map_or(String::new(), number);
        let is_empty = cells.iter().all(Option::is_none);
        (!is_empty).then(|| row::<String>(stage.name(), cells.into_iter().map(words), []) + "\n")
    });
    let lines: String = lines.collect();
    let title = format!("{}, threads: {what}", work.name());
    let head = row::<String>(&title, threads.iter().map(u32::to_string), []);
    let rule = "--:|".repeat(threads.len());
    (!lines.is_empty()).then(|| format!("{head}\n|---|{rule}\n{lines}"))
}
