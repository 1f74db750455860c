//! The tables and figures of `benches/peers`, which measures our engine and our server beside others.

use crate::Outcome;
use crate::chart::{Bars, bars};
use crate::record::{Record, Rounds};
use crate::tables::{below, grid, thousands, with_spread};

/// One figure of one workload: its title, the workload, and the figure.
type Row = (&'static str, &'static str, &'static str);

/// Thousands of operations a second.
const ENGINES: [Row; 15] = [
    ("load, 16 B, 1 thread", "load", "load"),
    ("load, 16 B, 100 at once", "load100", "load"),
    ("get, 16 B, 1 thread", "get16", "1-threads"),
    ("get, 16 B, 4 threads", "get16", "4-threads"),
    ("get, 1 KiB, 1 thread", "get1k", "1-threads"),
    ("get, 1 KiB, 4 threads", "get1k", "4-threads"),
    ("95 % get, 5 % set, 16 B, 4 threads", "mixed", "5-set-4-threads"),
    ("half get, half set, 16 B, 2 threads", "mixed", "50-set-2-threads"),
    ("half get, half set, 16 B, 4 threads", "mixed", "50-set-4-threads"),
    ("half get, half set, 1 KiB, 4 threads", "get1k", "50-set-4-threads"),
    ("gets of 4 threads beside a writer", "readers", "gets"),
    ("sets of that writer", "readers", "sets"),
    ("each set synced, 1 thread", "synced", "1-threads"),
    ("each set synced, 8 threads", "synced", "8-threads"),
    ("each set synced, 64 threads", "synced", "64-threads"),
];

const AFTER_A_KILL: &str = "After `kill -9` at the end of the load";
const KILLED: [Row; 6] = [
    ("open, ms", "load", "open"),
    ("acknowledged keys that are lost", "load", "lost"),
    ("disk, bytes a key", "load", "disk"),
    ("memory once open, bytes a key", "load", "private-opened"),
    ("memory once all was read", "load", "private-read"),
    ("pages of files mapped then", "load", "mapped-read"),
];

/// Workloads of the servers.
const SERVERS: [(&str, &str); 13] = [
    ("GET, 16 clients", "get16"),
    ("GET, 64 clients", "get64"),
    ("GET, 256 clients", "get256"),
    ("GET, 1000 clients", "get1000"),
    ("GET, 2 clients, 16 in flight each", "pipeline2"),
    ("GET, 4 clients, 16 in flight each", "pipeline4"),
    ("GET, 8 clients, 16 in flight each", "pipeline8"),
    ("GET, 16 clients, 16 in flight each", "pipeline16"),
    ("GET, 16 clients, 64 in flight each", "pipeline64"),
    ("GET, a connection each, 16 clients", "connect16"),
    ("GET, a connection each, 64 clients", "connect64"),
    ("SET, 16 clients", "set"),
    ("SET, 16 clients, 16 in flight each", "set-pipeline16"),
];

/// All that was measured, for a terminal.
pub fn all(record: &Record) -> String {
    let [rates, cpu, p99] = ["rate", "cpu", "p99"].map(of_servers);
    let tables = [
        ("Thousands of operations a second", &ENGINES[..]),
        ("Thousands of requests a second", &rates),
        ("The server's CPU, µs a request", &cpu),
        ("99 % of requests take at most, µs", &p99),
        ("", &[("bytes of memory an idle client, of 10,000", "idle", "client-bytes")]),
        (AFTER_A_KILL, &KILLED),
    ];
    below(head(record), tables.map(|(title, rows)| beside_peers(record, title, rows)))
}

fn of_servers(figure: &'static str) -> [Row; 13] {
    SERVERS.map(|(title, work)| (title, work, figure))
}

/// Our engine beside others.
pub(crate) fn engines(record: &Record) -> String {
    below(head(record), [beside_peers(record, AFTER_A_KILL, &KILLED)])
}

/// What is faster to see than to read: the names of the files, and SVG.
pub(crate) fn figures(engine: &Record, server: &Record) -> Outcome<Vec<(String, String)>> {
    let engines = ENGINES.iter().filter_map(|row| panel(engine, row, row.0.to_owned()));
    let servers =
        SERVERS.iter().filter(|(_, work)| !["get64", "pipeline2", "pipeline4"].contains(work));
    let servers = servers.flat_map(|(title, work)| {
        let views = [("rate", "thousands a second"), ("cpu", "µs of the server's CPU each")];
        views
            .map(|(figure, unit)| panel(server, &(title, work, figure), format!("{title}: {unit}")))
    });
    let slow = of_servers("p99").into_iter().take(4);
    let slow = slow.map(|row| panel(server, &row, format!("{}: 99 %, µs", row.0)));
    let servers: Vec<_> = servers.chain(slow).flatten().collect();
    let conditions = |record: &Record| {
        let (machine, rounds) = (&record.conditions.machine, record.rounds());
        let (cores, disk) = (machine.cores, &machine.file_system);
        let seconds = record.conditions.number("seconds");
        format!("{cores} cores, {disk}; median, least and most of {rounds} rounds of {seconds} s")
    };
    let title = "Engines: thousands of operations a second";
    let engines = bars(title, &conditions(engine), &engines.collect::<Vec<_>>())?;
    let servers = bars("Servers: requests", &conditions(server), &servers)?;
    Ok(vec![("peers-engine.svg".to_owned(), engines), ("peers-servers.svg".to_owned(), servers)])
}

/// A bar for each that has this figure.
fn panel(record: &Record, row: &Row, title: String) -> Option<Bars> {
    let bar = |(name, who)| Some((name, rounds(record, row, who)?));
    let bars: Vec<_> = columns(record, &[*row]).into_iter().filter_map(bar).collect();
    (!bars.is_empty()).then_some((title, bars))
}

/// Our server in front of a cluster, beside who asks the nodes itself.
pub fn cluster(record: &Record) -> String {
    const FIGURES: [(&str, &str); 6] = [
        ("thousands a second", "rate"),
        ("µs of CPU each: who asks", "client"),
        ("µs of CPU each: our servers", "server"),
        ("µs of CPU each: the nodes", "nodes"),
        ("commands that the nodes did for each", "calls"),
        ("share of the busiest of three nodes", "busiest"),
    ];
    let asked = [("GET, 1 in flight", "get1"), ("GET, 16", "get16"), ("SET, 16", "set16")];
    let tables = asked.map(|(title, work)| {
        beside_peers(record, title, &FIGURES.map(|(title, figure)| (title, work, figure)))
    });
    let redis = record.conditions.settings.get("redis").and_then(|version| version.as_str());
    let head = format!(
        "{}; Redis {}, 16 clients, {} requests (a quarter of that with 1 in flight), rounds: {}.",
        record.source(),
        redis.unwrap_or_default(),
        thousands(record.conditions.number("requests") as u64),
        record.rounds(),
    );
    below(head, tables)
}

/// What was measured on.
fn head(record: &Record) -> String {
    let conditions = &record.conditions;
    let programs = conditions.settings.get("programs").and_then(|programs| programs.as_object());
    let programs = programs.into_iter().flatten();
    let programs = programs.map(|(name, version)| format!("{name} {version}, ").replace('"', ""));
    format!(
        "{}; {}{} keys, {} s a measurement, rounds: {}.",
        record.source(),
        programs.collect::<String>(),
        thousands(conditions.number("keys") as u64),
        conditions.number("seconds"),
        record.rounds(),
    )
}

/// A figure in every round.
fn rounds(record: &Record, row: &Row, who: &str) -> Option<Rounds> {
    record.shown(&format!("{}/{who}", row.1), row.2)
}

/// Who has a figure in one of the rows, and a title for it: with a † if it lost keys that count there.
fn columns<'a>(record: &'a Record, rows: &[Row]) -> Vec<(String, &'a str)> {
    let lost = |who: &str| record.rounds_of(&format!("load/{who}"), "lost");
    let loses_keys =
        |who: &str| rows[0].1 != "synced" && lost(who).is_some_and(|lost| lost.median() > 0.0);
    let mut columns: Vec<(String, &str)> = Vec::new();
    for who in record.samples.iter().filter_map(|sample| sample.of.split('/').nth(1)) {
        let is_new = columns.iter().all(|(_, column)| *column != who);
        if is_new && rows.iter().any(|row| rounds(record, row, who).is_some()) {
            columns.push((format!("{who}{}", if loses_keys(who) { " †" } else { "" }), who));
        }
    }
    columns
}

/// A table with a column for each that has a figure in it.
fn beside_peers(record: &Record, title: &str, rows: &[Row]) -> Option<String> {
    let titles = rows.iter().map(|(title, ..)| *title).collect::<Vec<_>>();
    grid(title, &titles, &columns(record, rows), |title, who| {
        let row = rows.iter().find(|row| row.0 == title)?;
        Some(with_spread(&rounds(record, row, who)?))
    })
}
