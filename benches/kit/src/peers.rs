//! The tables of `benches/peers`, which measures our engine and our server beside others.

use crate::markdown::{thousands, with_spread};
use crate::record::{Record, Unit};
use crate::tables::{below, grid};

/// One figure of one workload: its title, the workload, and the figure.
type Row = (String, &'static str, &'static str);

fn row(title: &str, work: &'static str, figure: &'static str) -> Row {
    (title.to_owned(), work, figure)
}

/// Our engine beside others.
pub fn engines(record: &Record) -> String {
    let unsynced = vec![
        row("load, 16 B, 1 thread", "load", "load"),
        row("get, 16 B, 1 thread", "get16", "1-threads"),
        row("get, 16 B, 4 threads", "get16", "4-threads"),
        row("get, 1 KiB, 1 thread", "get1k", "1-threads"),
        row("get, 1 KiB, 4 threads", "get1k", "4-threads"),
        row("95 % get, 5 % set, 4 threads", "mixed", "5-set-4-threads"),
        row("50 % get, 50 % set, 2 threads", "mixed", "50-set-2-threads"),
        row("50 % get, 50 % set, 4 threads", "mixed", "50-set-4-threads"),
        row("gets of 4 threads beside a writer", "readers", "gets"),
        row("sets of that writer", "readers", "sets"),
    ];
    let synced = vec![
        row("set, 1 thread", "synced", "1-threads"),
        row("set, 8 threads", "synced", "8-threads"),
        row("set, 64 threads", "synced", "64-threads"),
    ];
    let killed = vec![
        row("open, ms", "load", "open"),
        row("acknowledged keys that are lost", "load", "lost"),
        row("disk, bytes a key", "load", "disk"),
        row("memory once open, bytes a key", "load", "private-opened"),
        row("memory once all was read", "load", "private-read"),
        row("pages of files mapped then", "load", "mapped-read"),
    ];
    let tables = [
        ("Nothing synced: thousands of operations a second", unsynced),
        ("Every write synced: thousands of sets a second", synced),
        ("After `kill -9` at the end of the load", killed),
    ];
    all(record, &tables)
}

/// Our server beside others.
pub fn servers(record: &Record) -> String {
    const CLIENTS: [(&str, &str); 9] = [
        ("GET, 16 clients", "get16"),
        ("GET, 64 clients", "get64"),
        ("GET, 256 clients", "get256"),
        ("GET, 1000 clients", "get1000"),
        ("GET, 16 clients, 16 in flight each", "pipeline16"),
        ("GET, 16 clients, 64 in flight each", "pipeline64"),
        ("GET, a connection each, 16 clients", "connect16"),
        ("GET, a connection each, 64 clients", "connect64"),
        ("SET, 16 clients", "set"),
    ];
    let of_all = |figure| CLIENTS.map(|(title, work)| row(title, work, figure)).into();
    let latency = CLIENTS[..4].iter().flat_map(|(title, work)| {
        [("median", "p50"), ("99 %", "p99"), ("99.9 %", "p999")]
            .map(|(which, figure)| row(&format!("{title}, {which}"), work, figure))
    });
    let tables = [
        ("The server's CPU, µs a request", of_all("cpu")),
        ("Thousands of requests a second", of_all("rate")),
        ("From a GET to its answer, as the client sees it, µs", latency.collect()),
        ("System calls a request", vec![row("GET, 16 clients", "calls", "calls")]),
    ];
    all(record, &tables)
}

/// The tables, below a line that says what was measured on.
fn all(record: &Record, tables: &[(&str, Vec<Row>)]) -> String {
    let conditions = &record.conditions;
    let programs = conditions.settings.get("programs").and_then(|programs| programs.as_object());
    let programs = programs.into_iter().flatten();
    let programs = programs.map(|(name, version)| format!("{name} {version}, ").replace('"', ""));
    let head = format!(
        "{}; {}{} keys, {} s a measurement, rounds: {}.",
        record.source(),
        programs.collect::<String>(),
        thousands(conditions.number("keys") as u64),
        conditions.number("seconds"),
        record.rounds(),
    );
    below(head, tables.iter().map(|(title, rows)| beside_peers(record, title, rows)))
}

/// A table with a column for each that has a figure in it.
fn beside_peers(record: &Record, title: &str, rows: &[Row]) -> Option<String> {
    let rounds = |row: &Row, who: &str| record.rounds_of(&format!("{}/{who}", row.1), row.2);
    let loses_keys = |who: &str| {
        let lost = record.rounds_of(&format!("load/{who}"), "lost");
        rows[0].1 != "synced" && lost.is_some_and(|lost| lost.median() > 0.0)
    };
    let mut columns: Vec<(String, &str)> = Vec::new();
    for who in record.samples.iter().filter_map(|sample| sample.of.split('/').nth(1)) {
        let is_new = columns.iter().all(|(_, column)| *column != who);
        if is_new && rows.iter().any(|row| rounds(row, who).is_some()) {
            columns.push((format!("{who}{}", if loses_keys(who) { " †" } else { "" }), who));
        }
    }
    let titles: Vec<&str> = rows.iter().map(|(title, ..)| title.as_str()).collect();
    grid(title, &titles, &columns, |title, who| {
        let row = rows.iter().find(|row| row.0 == title)?;
        let scale = match record.units.get(row.2) {
            Some(Unit::PerSecond) => 1e-3,
            Some(Unit::Second) if row.2 == "open" => 1e3,
            Some(Unit::Second) => 1e6,
            _ => 1.0,
        };
        Some(with_spread(&rounds(row, who)?.scaled(scale)))
    })
}
