//! The counts as tables in Markdown: medians where the rounds agree, the least and the most where they
//! do not.

use crate::record::Machine;
use crate::sample::{Record, Sample, Tool, Work};
use crate::samples::{Samples, row};
use crate::stage::Stage;

/// The line before the tables in a text.
pub(crate) const BEGIN: &str =
    "<!-- tables of counts: made from the record, changed by nobody -->\n";

/// What `perf` counts in each table, with the title of its column.
const COUNTED: [(&str, &str); 4] = [
    ("calls", "system calls"),
    ("futex", "of `futex`"),
    ("context_switches", "context switches"),
    ("cpu_migrations", "moves to another core"),
];

/// What stands in the titles.
const OPERATIONS: [(Work, &str); 3] = [
    (Work::Read, "a get"),
    (Work::Write, "a set"),
    (Work::Mixed, "an operation, 95 gets to 5 sets"),
];

pub(crate) fn tables(record: &Record) -> String {
    let Machine { cpu, cores, memory_gib, kernel, file_system } = &record.conditions.machine;
    let rounds = record.samples.iter().map(|sample| sample.round).max().unwrap_or(0);
    let head = format!(
        "{cpu}, {cores} cores, {memory_gib} GiB; Linux {kernel}, {file_system}; {}, revision {}; \
         rounds: {rounds}.\n",
        record.date, record.conditions.revision,
    );
    let counted = OPERATIONS.into_iter().filter_map(|operation| counted(record, operation));
    let tables = counted.chain(named(record));
    std::iter::once(head).chain(tables).collect::<Vec<_>>().join("\n")
}

/// A line for each stage with what `perf` counted.
fn counted(record: &Record, (work, operation): (Work, &str)) -> Option<String> {
    let cell = |stage, event: &str| {
        let counts = counts(&record.samples, stage, work, Tool::Perf, event);
        counts.map_or(String::new(), |counts| counts.steady())
    };
    let titles = COUNTED.map(|(_, title)| title.to_owned());
    let cells = |stage| COUNTED.map(|(event, _)| cell(stage, event)).into();
    lines(record, Tool::Perf, operation, titles, cells)
}

/// A line for each stage with the names of the system calls that `strace` saw. Those that are not
/// seen in a hundred operations are left out.
fn named(record: &Record) -> Option<String> {
    let names = |stage, work| {
        let of_it = |s: &&Sample| (s.stage, s.work, s.tool) == (stage, work, Tool::Strace);
        let samples = record.samples.iter().filter(of_it);
        let mut names: Vec<_> = samples.flat_map(|sample| sample.counts.keys()).collect();
        names.sort();
        names.dedup();
        let words = names.into_iter().filter(|name| *name != "calls").filter_map(|name| {
            let counts = counts(&record.samples, stage, work, Tool::Strace, name)?;
            (counts.median() >= 0.01).then(|| format!("{} `{name}`", counts.steady()))
        });
        words.collect::<Vec<_>>().join(", ")
    };
    let titles = OPERATIONS.map(|(_, operation)| operation.to_owned());
    let cells = |stage| OPERATIONS.map(|(work, _)| names(stage, work)).into();
    lines(record, Tool::Strace, "as `strace` sees it", titles, cells)
}

/// A table with a line for each stage that was counted with a tool.
fn lines(
    record: &Record,
    tool: Tool,
    title: &str,
    titles: impl IntoIterator<Item = String>,
    cells: impl Fn(Stage) -> Vec<String>,
) -> Option<String> {
    let titles: Vec<String> = std::iter::once("threads".to_owned()).chain(titles).collect();
    let mut lines = vec![format!("|---|{}", "--:|".repeat(titles.len()))];
    lines.insert(0, row(title, titles.into_iter(), [""; 0]));
    for stage in Stage::ALL {
        let of_it = |s: &&Sample| (s.stage, s.tool) == (stage, tool);
        if let Some(Sample { threads, .. }) = record.samples.iter().find(of_it) {
            lines.push(row(stage.name(), std::iter::once(threads.to_string()), cells(stage)));
        }
    }
    (lines.len() > 2).then(|| lines.join("\n") + "\n")
}

/// Of one event, in all rounds.
fn counts(
    samples: &[Sample],
    stage: Stage,
    work: Work,
    tool: Tool,
    event: &str,
) -> Option<Samples> {
    let of_it = |s: &&Sample| (s.stage, s.work, s.tool) == (stage, work, tool);
    Samples::new(samples.iter().filter(of_it).filter_map(|s| s.counts.get(event).copied()))
}
