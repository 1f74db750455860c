//! What came of a run of all promises, for the table in `final/PROMISES.md`.

use super::*;
use serde::Serialize;
use serde_json::json;

/// What came of a promise that was kept.
#[derive(Serialize)]
pub(crate) struct Line {
    name: &'static str,
    promise: &'static str,
    counts: Vec<Count>,
    /// All of them were injected and noticed.
    faults: Vec<&'static str>,
    seconds: u64,
}

impl Line {
    pub(crate) fn of(promise: &'static Promise, counts: Vec<Count>, time: Duration) -> Line {
        let faults = promise.faults.iter().map(|(fault, _)| *fault).collect();
        let (name, promise) = (promise.name, &*promise.promise);
        Line { name, promise, counts, faults, seconds: time.as_secs() }
    }

    pub(crate) fn print(&self) {
        let count = |count: &Count| format!("{} {}", count.number, count.of);
        let counts: Vec<String> = self.counts.iter().map(count).collect();
        let (counts, faults) = (counts.join(", "), self.faults.join("; "));
        println!("{}, {} s: {counts}; noticed: {faults}", self.name, self.seconds);
    }
}

/// Writes the record: a line a promise, the machine, the day in UTC, and the revision of the code, with
/// a `+` if something was not committed.
pub(crate) fn write(lines: &[Line], deep: bool) {
    let kernel = printed("uname", &["-r"]);
    let kernel = kernel.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let changes = printed("git", &["status", "--porcelain", "--untracked-files=no"]);
    let changed = if changes.is_empty() { "" } else { "+" };
    let record = json!({
        "machine": format!("{} cores, Linux {kernel}", num_cpus::get()),
        "revision": printed("git", &["rev-parse", "--short=12", "HEAD"]) + changed,
        "date": printed("date", &["-u", "+%Y-%m-%d"]),
        "deep": deep,
        "promises": lines,
    });
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/results/promises.json");
    fs::write(path, serde_json::to_string_pretty(&record).unwrap() + "\n").unwrap();
}

fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
