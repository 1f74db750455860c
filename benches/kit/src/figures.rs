//! The figures of the texts: which figures of which record the charts show.

use crate::Outcome;
use crate::chart::{Chart, Line, svg};
use crate::record::{Record, Rounds};
use crate::tables::{SCALING, STAGES, numbers_at, seconds, server, thousands};

/// How a figure of the record is drawn: its name there, the title, and whether each line of the grid is a
/// multiple of the one below.
const VIEWS: [(&str, &str, bool); 4] = [
    ("rate", "thousands a second", false),
    ("p99", "99th percentile, µs", true),
    ("longest", "the longest, µs", true),
    ("sets", "the writer: thousands of sets a second", false),
];

/// The figure to which the text adds a line at a time: its names, and the last stage that has a line in each.
const MEASURED: [(&str, &str); 4] = [
    ("measure-5", "stage-5"),
    ("measure-6", "stage-6"),
    ("measure-7", "stage-7"),
    ("measure", "final"),
];

/// Its panels: the workload, the title, and which of [`VIEWS`] it shows.
const PANELS: [(&str, &str, usize); 6] = [
    ("read", "Engine, gets: thousands a second", 0),
    ("read", "Engine, gets: 99th percentile, µs", 1),
    ("mixed", "Engine, 95 % gets, 5 % sets: thousands a second", 0),
    ("mixed", "Engine, 95 % gets, 5 % sets: 99th percentile, µs", 1),
    ("server-get", "Server, 16 gets at once: thousands a second", 0),
    ("server-connect", "Server, a connection each: thousands a second", 0),
];

/// The figure that grows, as often as it does.
pub(crate) fn measured(record: &Record) -> Outcome<Vec<(String, String)>> {
    let number = |stage: &str| STAGES.iter().position(|(name, _)| *name == stage);
    let figure = |(name, last): &(&str, &str)| {
        let panel = |(work, title, view): &(&str, &str, usize)| {
            let threads = SCALING.iter().find(|(name, ..)| name == work)?.2;
            let mut chart = chart(record, work, title, threads, &VIEWS[*view])?;
            let shown = number("stage-5")..=number(last);
            chart.lines.retain(|line| shown.contains(&Some(line.stage)));
            Some(chart)
        };
        let conditions = conditions(record, MIXED, PANELS.iter().map(|(work, ..)| *work));
        let panels: Vec<Chart> = PANELS.iter().filter_map(panel).collect();
        let svg = svg("Engines and servers", &conditions, &panels)?;
        Ok((format!("{name}.svg"), svg))
    };
    MEASURED.iter().map(figure).collect()
}

/// The six benches of the challenge, each request over a connection of its own: how long an iteration takes.
pub(crate) fn queued(record: &Record) -> Outcome<String> {
    // Their looks are those of stages that aren't in the figure.
    const LINES: [(&str, &str, usize); 3] =
        [("kvstore", "queue", 7), ("rayon", "rayon", 4), ("sled", "rayon, sled", 2)];
    let panel = |(work, title): (&str, &str)| {
        let line = |&(what, name, stage)| {
            let points =
                points(record, &format!("{work}_queued_{what}/{}", server(record)), "seconds");
            Line { stage, name, points }
        };
        let (title, threads) = (title.to_owned(), "threads of the server's pool".to_owned());
        let (cores, lines) = (record.conditions.machine.cores, LINES.iter().map(line).collect());
        Chart { title, threads, is_logarithmic: false, cores, lines }
    };
    let panels = [("write", "1,000 writes: ms"), ("read", "1,000 reads: ms")].map(panel);
    let machine = &record.conditions.machine;
    let conditions = format!(
        "A connection for each request, server and clients; {} cores, {}; median, least and most of {} rounds",
        machine.cores,
        machine.file_system,
        record.rounds(),
    );
    svg(
        &format!("The six of the challenge, on {}", server(record).replace('-', " ")),
        &conditions,
        &panels,
    )
}

/// The figures of `scaling`: one for each workload of the engine, with what is done in a second and how
/// long the slow ones take; and one for the servers.
pub(crate) fn charts(record: &Record) -> Outcome<Vec<(String, String)>> {
    let (servers, engines): (Vec<_>, Vec<_>) =
        SCALING.into_iter().partition(|(work, ..)| work.starts_with("server"));
    let of_engine = engines.into_iter().map(|(work, what, threads)| {
        // While a compaction stops all readers, each of them is in one get, of thousands: a percentile
        // would not see it.
        let slow = if work == "compacting" { "longest" } else { "p99" };
        let views = VIEWS.iter().filter(|(name, ..)| ["rate", slow, "sets"].contains(name));
        let charts = views.filter_map(|view| {
            let mut chart = chart(record, work, view.1, threads, view)?;
            // Stages 2 to 5 have one engine: what would part their lines is noise.
            chart.lines.retain(|line| !(1..=3).contains(&line.stage));
            let last = chart.lines.iter_mut().find(|line| line.stage == 4);
            last.into_iter().for_each(|line| line.name = "2–5 one mutex");
            Some(chart)
        });
        let conditions = conditions(record, "The engine by itself", [work]);
        (work, what, conditions, charts.collect::<Vec<_>>())
    });
    let conditions =
        conditions(record, "Server and clients", servers.iter().map(|(work, ..)| *work));
    let servers = servers.iter();
    let servers = servers.filter_map(|(work, what, n)| chart(record, work, what, n, &VIEWS[0]));
    let title = "Servers: thousands of requests a second";
    let servers = ("server", title, conditions, servers.collect());
    let all = of_engine.chain([servers]).filter(|(.., charts)| !charts.is_empty());
    all.map(|(name, title, conditions, charts)| {
        let svg = svg(title, &conditions, &charts)?;
        Ok((format!("scaling-{name}.svg"), svg))
    })
    .collect()
}

/// What is done in a second, in every workload.
pub(crate) fn summary(record: &Record) -> Outcome<String> {
    let chart = |(work, what, threads)| chart(record, work, what, threads, &VIEWS[0]);
    let charts: Vec<_> = SCALING.into_iter().filter_map(chart).collect();
    let conditions = conditions(record, MIXED, SCALING.iter().map(|(work, ..)| *work));
    svg("Thousands a second", &conditions, &charts)
}

/// One figure of one workload, if there is any: the line of each stage, with the median at each number of
/// threads with which it was measured.
fn chart(
    record: &Record,
    work: &str,
    title: &str,
    threads: &str,
    &(figure, _, is_logarithmic): &(&str, &str, bool),
) -> Option<Chart> {
    let line = |(number, (stage, name)): (usize, &(&str, &'static str))| {
        let points = points(record, &format!("{work}/{stage}"), figure);
        (!points.is_empty()).then_some(Line { stage: number, name, points })
    };
    let lines: Vec<Line> = STAGES.iter().enumerate().filter_map(line).collect();
    let (title, threads) = (title.to_owned(), threads.to_owned());
    let cores = record.conditions.machine.cores;
    (!lines.is_empty()).then_some(Chart { title, threads, is_logarithmic, cores, lines })
}

/// A figure at each number of threads.
fn points(record: &Record, of: &str, figure: &str) -> Vec<(f64, Rounds)> {
    let point = |n: u32| Some((f64::from(n), record.shown(&format!("{of}/{n}"), figure)?));
    numbers_at(record, 2).into_iter().filter_map(point).collect()
}

/// What a figure shows that has both.
const MIXED: &str = "Engines, then servers";

/// Under what conditions these workloads were measured, in one line.
fn conditions<'a>(
    record: &Record,
    whole: &str,
    works: impl IntoIterator<Item = &'a str>,
) -> String {
    let conditions = &record.conditions;
    let rounds = match record.rounds() {
        1 => "one round".to_owned(),
        rounds => format!("median, least and most of {rounds} rounds"),
    };
    let all = works.into_iter().map(|work| seconds(record, work));
    let (least, most) = all.fold((f64::MAX, 0.0), |(least, most), s| (s.min(least), s.max(most)));
    let seconds = if least == most { format!("{most} s") } else { format!("{least} to {most} s") };
    format!(
        "{whole}; {} cores; {} values of {} bytes, in memory ({}); {rounds} of {seconds}",
        conditions.machine.cores,
        thousands(conditions.number("keys") as u64),
        thousands(conditions.number("value_bytes") as u64),
        conditions.machine.file_system,
    )
}
