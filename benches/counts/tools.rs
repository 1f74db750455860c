//! The programs that count what a process does.

use kvs_bench_kit::Outcome;
use kvs_bench_kit::record::{Figures, output};
use std::env;
use std::fs;
use tempfile::NamedTempFile;

/// What `perf` is asked for, and the names in the record. The kernel counts the first two; the others need the right
/// to see every system call.
const EVENTS: [(&str, &str); 4] = [
    ("context-switches", "context-switches"),
    ("cpu-migrations", "cpu-migrations"),
    ("raw_syscalls:sys_enter", "calls"),
    ("syscalls:sys_enter_futex", "futex"),
];

/// A program that counts, and what it is asked for.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    args: Vec<String>,
    /// The name and the count in a line of what it writes.
    line: fn(&str) -> Option<(&str, f64)>,
}

impl Tool {
    /// `perf`, if it can count something here.
    pub(crate) fn perf() -> Option<Tool> {
        let perf = |events: &[&str]| Tool {
            name: "perf",
            args: ["stat", "-x", ",", "-e", &events.join(",")].map(str::to_owned).into(),
            line: perf_line,
        };
        let counts =
            |event: &str| perf(&[event]).run("true", &[]).is_ok_and(|counts| !counts.is_empty());
        let events = EVENTS.iter().map(|(event, _)| *event);
        let (usable, missing): (Vec<_>, Vec<_>) = events.partition(|event| counts(event));
        if !missing.is_empty() {
            println!("skipped: there is no perf that counts {} here", missing.join(", "));
        }
        (!usable.is_empty()).then(|| perf(&usable))
    }

    /// `strace`, if it may count here.
    pub(crate) fn strace() -> Option<Tool> {
        let args = ["-f", "-c", "-U", "name,calls"].map(str::to_owned).into();
        let strace = Tool { name: "strace", args, line: strace_line };
        let usable = strace.run("true", &[]).is_ok();
        if !usable {
            println!("skipped: there is no strace that may count here");
        }
        usable.then_some(strace)
    }

    /// What this program does when it is run with these arguments.
    pub(crate) fn count(&self, args: &[&str]) -> Outcome<Figures> {
        let program = env::current_exe()?;
        self.run(program.to_str().ok_or("the path of this program is not UTF-8")?, args)
    }

    fn run(&self, program: &str, args: &[&str]) -> Outcome<Figures> {
        let file = NamedTempFile::new()?;
        let path = file.path().to_str().ok_or("the path of a temporary file is not UTF-8")?;
        let own = self.args.iter().map(String::as_str);
        let all: Vec<&str> =
            own.chain(["-o", path, "--", program]).chain(args.iter().copied()).collect();
        output(self.name, &all)?;
        let text = fs::read_to_string(path)?;
        let counts = text.lines().filter_map(self.line);
        Ok(counts.map(|(name, count)| (name.to_owned(), count)).collect())
    }
}

/// A line with a count, a unit, and an event. An event that cannot be counted has words for a count.
fn perf_line(line: &str) -> Option<(&str, f64)> {
    let mut fields = line.split(',');
    let count = fields.next()?.parse().ok()?;
    let event = fields.nth(1)?;
    let (_, name) = EVENTS.iter().find(|(known, _)| *known == event)?;
    Some((name, count))
}

/// A line with a name and a count; one is for all together.
fn strace_line(line: &str) -> Option<(&str, f64)> {
    let (name, count) = line.trim().split_once(char::is_whitespace)?;
    Some((if name == "total" { "calls" } else { name }, count.trim().parse().ok()?))
}
