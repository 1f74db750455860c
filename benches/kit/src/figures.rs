//! The figures of the texts: which figures of which record the charts show.

use crate::Outcome;
use crate::chart::{Chart, Line};
use crate::markdown::thousands;
use crate::record::Record;
use crate::tables::{SCALING, STAGES, numbers_at};

/// What somebody does nothing but set in is measured for longer.
const SETS: [&str; 3] = ["write", "beside-writer", "server-set"];

/// The charts of `scaling`: for each workload what is done in a second, and how long the slow ones take.
pub(crate) fn charts(record: &Record) -> Outcome<Vec<(String, String)>> {
    let mut files = Vec::new();
    for (work, what, threads) in SCALING {
        // While a compaction stops all readers, each of them is in one get, of thousands: a percentile
        // would not see it.
        let (tail, how_long) = match work {
            "compacting" => ("longest", "the longest"),
            _ => ("p99", "99th percentile"),
        };
        let writer = "The thread that sets beside those that get: thousands of sets a second";
        let views = [
            ("rate", format!("{what}: thousands a second"), 1e-3),
            (tail, format!("{what}: {how_long}, µs"), 1e6),
            ("sets", writer.to_owned(), 1e-3),
        ];
        for (figure, title, scale) in views {
            let chart = Chart {
                title,
                conditions: chart_conditions(record, work),
                threads: threads.to_owned(),
                is_logarithmic: figure == tail,
                lines: lines(record, work, figure, scale),
            };
            if !chart.lines.is_empty() {
                files.push((format!("scaling-{work}-{figure}.svg"), chart.svg()?));
            }
        }
    }
    Ok(files)
}

/// The line of each stage: the median at each number of threads with which it was measured.
fn lines(record: &Record, work: &str, figure: &str, scale: f64) -> Vec<Line> {
    let threads = numbers_at(record, 2);
    let line = |(number, (stage, name)): (usize, &(&str, &'static str))| {
        let point = |&n: &u32| {
            let rounds = record.rounds_of(&format!("{work}/{stage}/{n}"), figure)?;
            Some((f64::from(n), rounds.median() * scale))
        };
        Line { stage: number, name, points: threads.iter().filter_map(point).collect() }
    };
    STAGES.iter().enumerate().map(line).filter(|line| !line.points.is_empty()).collect()
}

/// Under what conditions, in one line.
fn chart_conditions(record: &Record, work: &str) -> String {
    let conditions = &record.conditions;
    let whole =
        if work.starts_with("server") { "Server and clients" } else { "The engine by itself" };
    let rounds = match record.rounds() {
        1 => "one round".to_owned(),
        rounds => format!("median of {rounds} rounds"),
    };
    let longer = if SETS.contains(&work) { 4.0 } else { 1.0 };
    format!(
        "{whole}; {} cores; {} values of {} bytes, in memory ({}); {rounds} of {} s",
        conditions.machine.cores,
        thousands(conditions.number("keys") as u64),
        thousands(conditions.number("value_bytes") as u64),
        conditions.machine.file_system,
        longer * conditions.number("seconds"),
    )
}
