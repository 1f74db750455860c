//! The tables of the servers, in Markdown.

use super::Server;
use super::rows::{Goal, Row, TABLES, Table};
use super::run::Sample;
use crate::conditions::Record;
use crate::rows::Better;
use crate::samples::{Samples, number, rounds, row, thousands};

/// All that the record has.
pub(crate) fn markdown(record: &Record<Sample>) -> String {
    let c = &record.conditions;
    let m = &c.machine;
    let versions = c.programs.iter().map(|(name, version)| format!(", {name} {version}"));
    let mut text = format!(
        "{}, {} cores, {} GiB; Linux {}; {}, `final` at `{}`{}; {} keys, {} s a measurement, {} \
         rounds.\n",
        m.cpu,
        m.cores,
        m.memory_gib,
        m.kernel,
        record.date,
        c.revision,
        versions.collect::<String>(),
        thousands(c.keys),
        c.seconds,
        rounds(record.samples.iter().map(|sample| (sample.work, sample.server))),
    );
    for table in &TABLES {
        let rows = table.rows.iter().filter_map(|row| Line::new(record, row)).collect::<Vec<_>>();
        if !rows.is_empty() {
            text += "\n";
            text += &table_of(table, &rows);
        }
    }
    text + "\n" + settings(record).trim_end()
}

/// A row with what was measured.
struct Line<'a> {
    row: &'a Row,
    cells: Vec<(Server, Samples)>,
}

impl<'a> Line<'a> {
    fn new(record: &Record<Sample>, row: &'a Row) -> Option<Line<'a>> {
        let cell = |&server: &Server| {
            let of_row = record.samples.iter().filter(|s| s.work == row.work && s.server == server);
            let figures = of_row.filter_map(|s| s.figures.get(row.figure).copied());
            Some((server, Samples::new(figures)?))
        };
        let cells: Vec<_> = Server::ALL.iter().filter_map(cell).collect();
        (!cells.is_empty()).then_some(Line { row, cells })
    }

    fn median(&self, server: Server) -> Option<f64> {
        self.cells.iter().find(|(of, _)| *of == server).map(|(_, samples)| samples.median())
    }

    /// The best of the peers.
    fn best(&self) -> Option<(Server, f64)> {
        let peers = self.cells.iter().filter(|(server, _)| server.is_peer());
        let medians = peers.map(|(server, samples)| (*server, samples.median()));
        self.row.better.best(medians)
    }

    /// How many times better that server is, in a cell.
    fn times_better(&self, ours: Server, than: Option<f64>) -> String {
        let times = self.median(ours).zip(than).and_then(|(ours, than)| match self.row.better {
            Better::More => Some(ours / than),
            Better::Less => Some(than / ours),
            Better::Neither => None,
        });
        times.filter(|times| times.is_finite()).map(number).unwrap_or_default()
    }

    /// The goal in words, and as a figure.
    fn goal(&self) -> Option<(String, f64)> {
        match *self.row.goal.as_ref()? {
            Goal::As(server) => Some((server.name().to_owned(), self.median(server)?)),
            Goal::AtMost(most) => Some((format!("≤ {most}"), most)),
        }
    }
}

/// The table, with a column for each server that has a figure in it.
fn table_of(table: &Table, lines: &[Line]) -> String {
    let shown = |server: &&Server| lines.iter().any(|line| line.median(**server).is_some());
    let servers: Vec<Server> = Server::ALL.iter().filter(shown).copied().collect();
    let heads = servers.iter().map(|server| server.name().to_owned());
    let mut rows = vec![row(
        table.title,
        heads,
        ["queue : best peer", "goal", "queue : goal", "rayon : goal"],
    )];
    rows.push(format!("|---|{}", "--:|".repeat(servers.len() + 4)));
    for line in lines {
        let of = |server| line.cells.iter().find(|(of, _)| of == server);
        let cells = servers.iter().map(|s| of(s).map_or_else(String::new, |(_, s)| s.words()));
        let (words, goal) = line.goal().unzip();
        let best = line.best().and_then(|(peer, best)| {
            let times = line.times_better(Server::KvsQueue, Some(best));
            (!times.is_empty()).then(|| format!("{times} ({})", peer.name()))
        });
        let ends = [
            best.unwrap_or_default(),
            words.unwrap_or_default(),
            line.times_better(Server::KvsQueue, goal),
            line.times_better(Server::KvsRayon, goal),
        ];
        rows.push(row(line.row.title, cells, ends));
    }
    rows.join("\n") + "\n"
}

/// How each server that was measured was started.
fn settings(record: &Record<Sample>) -> String {
    let measured = |server: &&Server| record.samples.iter().any(|s| s.server == **server);
    let row = |server: &Server| format!("| {} | {} |\n", server.name(), server.setting());
    let rows = Server::ALL.iter().filter(measured).map(row);
    "| server | setting |\n|---|---|\n".to_owned() + &rows.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::Conditions;
    use crate::insert::insert;
    use crate::report::SERVERS;
    use crate::servers::workloads::Work;
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_tables_in_the_text_are_those_of_the_record() {
        let benches = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let record = Record::read(&benches.join("results/peers-servers.json")).unwrap();
        let text = fs::read_to_string(benches.join("README.md")).unwrap();
        let made = insert(&text, SERVERS, &markdown(&record)).unwrap();
        assert!(text == made, "`peers servers tables` on record and benches/README.md mends it");
    }

    fn record(samples: &[(Work, Server, &str, f64)]) -> Record<Sample> {
        let sample = |&(work, server, figure, value): &(Work, Server, &str, f64)| Sample {
            work,
            server,
            figures: [(figure.to_owned(), value)].into(),
        };
        let programs = [("redis".to_owned(), "7.0".to_owned())].into();
        Record {
            conditions: Conditions { programs, ..Conditions::example() },
            date: "2026-01-02".into(),
            samples: samples.iter().map(sample).collect(),
        }
    }

    fn row_of(tables: &str, title: &str) -> Vec<String> {
        let row = tables.lines().find(|line| line.starts_with(&format!("| {title} |"))).unwrap();
        row.trim_matches('|').split('|').skip(1).map(|cell| cell.trim().to_owned()).collect()
    }

    #[test]
    fn a_row_has_median_spread_best_peer_and_the_goal_of_two_pools() {
        let tables = markdown(&record(&[
            (Work::Get16, Server::KvsQueue, "cpu", 5.0),
            (Work::Get16, Server::KvsQueue, "cpu", 3.0),
            (Work::Get16, Server::KvsQueue, "cpu", 4.0),
            (Work::Get16, Server::KvsRayon, "cpu", 16.0),
            (Work::Get16, Server::Redis, "cpu", 8.0),
            (Work::Get16, Server::Memcached, "cpu", 6.0),
            // The limit, and no peer.
            (Work::Get16, Server::Echo, "cpu", 1.0),
        ]));
        let conditions =
            "`final` at `abc`, redis 7.0; 1,000,000 keys, 2 s a measurement, 3 rounds.";
        assert!(tables.contains(conditions), "{tables}");
        assert!(
            tables.contains(
                "| kvs-queue | kvs-rayon | redis | memcached | echo | queue : best peer |"
            )
        );
        assert_eq!(
            row_of(&tables, "GET, 16 clients"),
            [
                "4.00 (3.00–5.00)",
                "16.0",
                "8.00",
                "6.00",
                "1.00",
                "1.50 (memcached)",
                "redis",
                "2.00",
                "0.500"
            ]
        );
    }

    #[test]
    fn a_goal_of_a_server_that_was_not_measured_is_left_out() {
        let tables = markdown(&record(&[
            (Work::Get16, Server::KvsQueue, "rate", 50.0),
            (Work::Pipeline16, Server::KvsQueue, "cpu", 0.5),
        ]));
        assert!(!tables.contains("memcached |"), "{tables}");
        assert_eq!(row_of(&tables, "GET, 16 clients"), ["50.0", "", "", "", ""]);
        let pipelined = row_of(&tables, "GET, 16 clients, 16 in flight each");
        assert_eq!(pipelined, ["0.500", "", "≤ 1", "2.00", ""]);
    }
}
