//! The counts of a run, kept: `record.json`, and the table in the README that is made from it.

use super::row::{Count, Row};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What stands around the table in the README.
const BEGIN: &str =
    "<!-- The table is made by `cargo test --release -p final --test promises -- --record`. -->\n";
const END: &str = "<!-- The table ends. -->\n";

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) verdict: String,
    /// In words.
    pub(crate) counts: String,
    pub(crate) seconds: u64,
}

/// A run of all rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What it ran on.
    pub(crate) machine: String,
    /// The revision of the code, with a `+` if something was not committed; and the day, in UTC.
    pub(crate) revision: String,
    pub(crate) date: String,
    pub(crate) deep: bool,
    pub(crate) lines: Vec<Line>,
}

fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What a program prints.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(place("")).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Record {
    pub(crate) fn of(lines: Vec<Line>, deep: bool) -> Record {
        let cores = num_cpus::get();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let kernel: Vec<&str> = kernel.split('.').take(2).collect();
        let machine = format!("{cores} cores, Linux {}", kernel.join("."));
        let changes = output("git", &["status", "--porcelain", "--untracked-files=no"]);
        let changed = if changes.is_empty() { "" } else { "+" };
        let revision = output("git", &["rev-parse", "--short=12", "HEAD"]) + changed;
        let date = output("date", &["-u", "+%Y-%m-%d"]);
        Record { machine, revision, date, deep, lines }
    }

    pub(crate) fn read() -> Record {
        let text = fs::read_to_string(place("tests/promises/record.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Writes the record, and its table into the README.
    pub(crate) fn write(&self, rows: &[Row]) {
        let text = serde_json::to_string_pretty(self).unwrap() + "\n";
        fs::write(place("tests/promises/record.json"), text).unwrap();
        let readme = fs::read_to_string(place("../README.md")).unwrap();
        fs::write(place("../README.md"), insert(&readme, &self.table(rows)).unwrap()).unwrap();
    }

    /// Whether the README has this table, word for word, and another one would be noticed.
    pub(crate) fn agrees_with_readme(&self, rows: &[Row]) -> Result<(), String> {
        let readme = fs::read_to_string(place("../README.md")).unwrap();
        let has = |record: &Record| insert(&readme, &record.table(rows)).as_ref() == Some(&readme);
        let mut planted = self.clone();
        planted.lines.iter_mut().take(1).for_each(|line| line.counts += "0");
        if has(&planted) {
            return Err("a count with one digit more goes unnoticed".to_owned());
        }
        let names = self.lines.iter().map(|line| &*line.name);
        if !has(self) || names.ne(rows.iter().map(|row| row.name)) {
            return Err("the table in the README is not that of record.json: --record".to_owned());
        }
        Ok(())
    }

    /// A line a promise.
    pub(crate) fn table(&self, rows: &[Row]) -> String {
        let mut table =
            "| promise | put to the test | what was planted, and noticed |\n|---|---|---|\n"
                .to_owned();
        for (line, row) in self.lines.iter().zip(rows) {
            let planted: Vec<&str> = row.planted.iter().map(|(what, ..)| *what).collect();
            table += &format!("| {} | {} | {} |\n", row.promise, line.counts, planted.join("; "));
        }
        let seconds: u64 = self.lines.iter().map(|line| line.seconds).sum();
        let kind = if self.deep { "the long version" } else { "the usual size" };
        table
            + &format!(
                "\n{}, {}, revision {}, {kind}: {seconds} s.\n",
                self.machine, self.date, self.revision
            )
    }
}

/// `12,345 of these, 678 of those`.
pub(crate) fn counts(counts: &[Count]) -> String {
    let words: Vec<String> =
        counts.iter().map(|count| format!("{} {}", grouped(count.number), count.of)).collect();
    words.join(", ")
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

/// Puts the table where one is.
pub(crate) fn insert(text: &str, table: &str) -> Option<String> {
    let (head, rest) = text.split_once(BEGIN)?;
    let (_, tail) = rest.split_once(END)?;
    Some(format!("{head}{BEGIN}\n{table}\n{END}{tail}"))
}
