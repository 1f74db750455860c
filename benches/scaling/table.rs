//! The figures, as tables in Markdown.

use crate::sample::{Sample, Scaling, all, median, threads};
use crate::samples::{number, row, thousands};
use crate::stage::Stage;
use crate::workloads::Work;

/// The text that has the summary, below the root, and the line before it.
pub(crate) const TEXT: &str = "benches/README.md";
pub(crate) const BEGIN: &str =
    "<!-- tables of scaling: made from the record, changed by nobody -->\n";

/// What the tables show of each workload.
const SHOWN: [(&str, &str); 4] = [
    ("rate", "thousands of operations a second"),
    ("p99", "99th percentile, µs"),
    ("longest", "the longest, µs"),
    ("waits", "waits an operation"),
];

/// The workloads in which more threads do more of the same, and nothing else changes.
const ALONE: [Work; 3] = [Work::Read, Work::Write, Work::Mixed];

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

/// What a record says with as many threads as cores, for a text.
pub(crate) fn summary(record: &Scaling) -> String {
    let c = &record.conditions;
    let (samples, cores) = (&record.samples[..], c.machine.cores as u32);
    let rate = |work, stage| all(samples, work, stage, cores, "rate").map(|rates| rates.words());
    let times = |work, stage| {
        let rate = |threads| median(samples, work, stage, threads, "rate");
        Some(number(rate(cores)? / rate(1)?))
    };
    let waits = |work, stage| median(samples, work, stage, cores, "waits").map(number);
    let tables = [
        by_work(&format!("Thousands of operations a second, {cores} threads"), &Work::ALL, rate),
        by_work("Times as many as with one thread", &ALONE, times),
        by_work(&format!("Waits an operation, {cores} threads"), &Work::ALL, waits),
    ];
    format!(
        "{}, {} cores, {} GiB; Linux {}, {}; {}; {} keys, values of {} bytes, {} s a measurement ({} \
         s where somebody does nothing but set); revision {}.\n\n{}",
        c.machine.cpu,
        c.machine.cores,
        c.machine.memory_gib,
        c.machine.kernel,
        c.machine.file_system,
        record.date,
        thousands(c.keys),
        thousands(c.value_bytes as u64),
        c.seconds,
        c.seconds * Work::Write.longer(),
        c.revision,
        tables.join("\n")
    )
}

/// A table with a column for each workload and a line for each stage.
fn by_work(title: &str, works: &[Work], cell: impl Fn(Work, Stage) -> Option<String>) -> String {
    let head = row::<String>(title, works.iter().map(|work| work.name().to_owned()), []);
    let line = |stage: Stage| {
        let cells = works.iter().map(|&work| cell(work, stage).unwrap_or_default());
        let cells: Vec<_> = cells.collect();
        let is_empty = cells.iter().all(String::is_empty);
        (!is_empty).then(|| row::<String>(stage.name(), cells.into_iter(), []) + "\n")
    };
    let lines: String = Stage::ALL.into_iter().filter_map(line).collect();
    format!("{head}\n|---|{}\n{lines}", "--:|".repeat(works.len()))
}
