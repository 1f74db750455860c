//! The tables, in Markdown.

use crate::conditions::Record;
use crate::engines::{ALL, Engine, Level};
use crate::rows::{Better, Goal, Row, TABLES, Table};
use crate::run::Sample;
use crate::samples::{Samples, number, rounds, row, thousands};

/// The tables of a record stand in a text between a line that says which record, and another.
pub(crate) const ENGINES: &str = "<!-- tables: made from the record, changed by nobody -->\n";
pub(crate) const SERVERS: &str =
    "<!-- tables of servers: made from the record, changed by nobody -->\n";
pub(crate) const CUTS: &str =
    "<!-- table of power cuts: made from the record, changed by nobody -->\n";

/// All that the record has.
pub(crate) fn markdown(record: &Record<Sample>) -> String {
    let c = &record.conditions;
    let m = &c.machine;
    let mut text = format!(
        "{}, {} cores, {} GiB; Linux {}, {}; {}, `final` at `{}`; {} keys, {} s a measurement, rounds: {}.\n",
        m.cpu,
        m.cores,
        m.memory_gib,
        m.kernel,
        m.file_system,
        record.date,
        c.revision,
        thousands(c.keys),
        c.seconds,
        rounds(record.samples.iter().map(|sample| (sample.work, sample.engine))),
    );
    for table in &TABLES {
        let rows = table.rows.iter().filter_map(|row| Line::new(record, row)).collect::<Vec<_>>();
        if !rows.is_empty() {
            text += "\n";
            text += &table_of(record, table, &rows);
        }
    }
    text + "\n" + promises(record).trim_end()
}

/// A row with what was measured.
struct Line<'a> {
    row: &'a Row,
    cells: Vec<(Engine, Samples)>,
}

/// What was measured of a figure.
fn samples(record: &Record<Sample>, row: &Row, figure: &str, engine: Engine) -> Option<Samples> {
    let of_row = record.samples.iter().filter(|s| s.work == row.work && s.engine == engine);
    Samples::new(of_row.filter_map(|s| s.figures.get(figure).copied()))
}

impl<'a> Line<'a> {
    fn new(record: &Record<Sample>, row: &'a Row) -> Option<Line<'a>> {
        let cell = |&engine: &Engine| Some((engine, samples(record, row, row.figure, engine)?));
        let cells: Vec<_> = Engine::ALL.iter().filter_map(cell).collect();
        (!cells.is_empty()).then_some(Line { row, cells })
    }

    fn median(&self, engine: Engine) -> Option<f64> {
        self.cells.iter().find(|(of, _)| *of == engine).map(|(_, samples)| samples.median())
    }
}

impl Line<'_> {
    /// The best of the peers, or of those that keep what they acknowledged when they are killed.
    fn best(&self, only_who_keeps: bool) -> Option<(Engine, f64)> {
        // What is left of a store that lost keys is small and soon open.
        let only_who_keeps = only_who_keeps || self.row.better == Better::Less;
        let peer = |engine: &Engine| match engine {
            Engine::Kvs | Engine::KvsMap | Engine::Raw => false,
            peer => !only_who_keeps || keeps(*peer, self.row.work.level()),
        };
        let peers = self.cells.iter().filter(|(engine, _)| peer(engine));
        let medians = peers.map(|(engine, samples)| (*engine, samples.median()));
        self.row.better.best(medians)
    }

    /// How many times better ours is.
    fn times_better(&self, than: f64) -> Option<f64> {
        let ours = self.median(Engine::Kvs)?;
        let times = if self.row.better == Better::More { ours / than } else { than / ours };
        times.is_finite().then_some(times)
    }

    /// The goal in words, and as a figure.
    fn goal(&self, record: &Record<Sample>) -> Option<(String, f64)> {
        let times = |times: f64, (engine, figure): (Engine, f64)| {
            (format!("{times} × {}", engine.name()), times * figure)
        };
        match *self.row.goal.as_ref()? {
            Goal::Times(n, engine) => Some(times(n, (engine, self.median(engine)?))),
            Goal::TimesBest(n) => Some(times(n, self.best(false)?)),
            Goal::TimesBestThatKeeps(n) => Some(times(n, self.best(true)?)),
            Goal::AtMost(most) => Some((format!("≤ {most}"), most)),
            Goal::AtMostTimes(n, figure) => {
                let quiet = samples(record, self.row, figure, Engine::Kvs)?.median();
                Some((format!("≤ {n} × without"), n * quiet))
            }
        }
    }
}

fn keeps(engine: Engine, level: Level) -> bool {
    engine.promise(level).is_some_and(|promise| promise.after_kill == ALL)
}

/// The table, with a column for each engine that has a figure in it.
fn table_of(record: &Record<Sample>, table: &Table, lines: &[Line]) -> String {
    let shown = |engine: &&Engine| lines.iter().any(|line| line.median(**engine).is_some());
    let engines: Vec<Engine> = Engine::ALL.iter().filter(shown).copied().collect();
    let level = table.rows[0].work.level();
    let dagger = |engine: &Engine| if keeps(*engine, level) { "" } else { " †" };
    let heads = engines.iter().map(|engine| format!("{}{}", engine.name(), dagger(engine)));
    let mut rows = vec![row(table.title, heads, ["kvs : best peer", "goal", "kvs : goal"])];
    rows.push(format!("|---|{}", "--:|".repeat(engines.len() + 3)));
    for line in lines {
        let of = |engine| line.cells.iter().find(|(of, _)| of == engine);
        let cells = engines.iter().map(|e| of(e).map_or_else(String::new, |(_, s)| s.words()));
        let best = line.best(false).and_then(|(engine, best)| {
            Some(format!("{} ({})", number(line.times_better(best)?), engine.name()))
        });
        let goal = line.goal(record);
        let reached = goal.as_ref().and_then(|(_, goal)| line.times_better(*goal)).map(number);
        let words = goal.map_or_else(String::new, |(words, _)| words);
        let ends = [best.unwrap_or_default(), words, reached.unwrap_or_default()];
        rows.push(row(line.row.title, cells, ends));
    }
    rows.join("\n") + "\n"
}

/// What each setting that was measured promises.
fn promises(record: &Record<Sample>) -> String {
    let mut text = "| engine | setting | after `kill -9` | after a power cut |\n".to_owned();
    text += "|---|---|---|---|\n";
    for (level, name) in [(Level::Unsynced, "unsynced"), (Level::Synced, "synced")] {
        for &engine in Engine::ALL {
            let mut samples = record.samples.iter();
            if !samples.any(|s| s.engine == engine && s.work.level() == level) {
                continue;
            }
            if let Some(p) = engine.promise(level) {
                let cells = [p.setting, p.after_kill, p.after_power_cut].join(" | ");
                text += &format!("| {}, {name} | {cells} |\n", engine.name());
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::Conditions;
    use crate::insert::insert;
    use crate::workloads::Work;
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_tables_in_the_text_are_those_of_the_record() {
        let benches = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let record = Record::read(&benches.join("results/peers-engine.json")).unwrap();
        let text = fs::read_to_string(benches.join("README.md")).unwrap();
        let made = insert(&text, ENGINES, &markdown(&record)).unwrap();
        assert!(text == made, "`peers tables` on the record and benches/README.md mends it");
    }

    fn record(samples: &[(Work, Engine, &str, f64)]) -> Record<Sample> {
        let sample = |&(work, engine, figure, value): &(Work, Engine, &str, f64)| Sample {
            work,
            engine,
            figures: [(figure.to_owned(), value)].into(),
        };
        Record {
            conditions: Conditions::example(),
            date: "2026-01-02".into(),
            samples: samples.iter().map(sample).collect(),
        }
    }

    fn row_of(tables: &str, title: &str) -> Vec<String> {
        let row = tables.lines().find(|line| line.starts_with(&format!("| {title} |"))).unwrap();
        row.trim_matches('|').split('|').skip(1).map(|cell| cell.trim().to_owned()).collect()
    }

    #[test]
    fn a_row_has_median_spread_best_peer_and_goal() {
        let tables = markdown(&record(&[
            (Work::Load, Engine::Kvs, "load", 300.0),
            (Work::Load, Engine::Kvs, "load", 100.0),
            (Work::Load, Engine::Kvs, "load", 200.0),
            // The fastest, but it loses what it acknowledged.
            (Work::Load, Engine::Redb, "load", 400.0),
            (Work::Load, Engine::Fjall, "load", 80.0),
        ]));
        assert!(tables.contains("1,000,000 keys"));
        assert!(tables.contains("| kvs | redb † | fjall | kvs : best peer |"));
        assert_eq!(
            row_of(&tables, "load, 16 B, 1 thread"),
            ["200 (100–300)", "400", "80.0", "0.500 (redb)", "2 × fjall", "1.25"]
        );
    }

    #[test]
    fn where_less_is_better_the_ratios_still_say_how_much_better_ours_is() {
        let tables = markdown(&record(&[
            (Work::Load, Engine::Kvs, "open", 500.0),
            (Work::Load, Engine::Fjall, "open", 1500.0),
        ]));
        let cells = ["500", "1,500", "3.00 (fjall)", "≤ 250", "0.500"];
        assert_eq!(row_of(&tables, "open, ms"), cells);
    }

    #[test]
    fn an_engine_that_was_not_measured_is_in_no_table() {
        let tables = markdown(&record(&[(Work::Synced, Engine::Kvs, "1 threads", 5.0)]));
        assert!(!tables.contains("sled") && !tables.contains("load"));
        assert_eq!(row_of(&tables, "set, 1 thread"), ["5.00", "", "", ""]);
    }
}
