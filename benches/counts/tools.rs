//! The programs that count what a process does.

use crate::record::Outcome;
use crate::sample::{Counts, Tool};
use std::env;
use std::fs;
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;

/// What `perf` is asked for, and the names here. The kernel counts the first two; the next need a
/// processor that lets itself be counted, which most virtual ones do not; and the rest need the
/// right to see every system call.
const EVENTS: [(&str, &str); 11] = [
    ("context-switches", "context_switches"),
    ("cpu-migrations", "cpu_migrations"),
    ("cycles", "cycles"),
    ("instructions", "instructions"),
    ("cache-misses", "cache_misses"),
    ("raw_syscalls:sys_enter", "calls"),
    ("syscalls:sys_enter_futex", "futex"),
    ("syscalls:sys_enter_lseek", "lseek"),
    ("syscalls:sys_enter_read", "read"),
    ("syscalls:sys_enter_pread64", "pread64"),
    ("syscalls:sys_enter_pwrite64", "pwrite64"),
];

impl Tool {
    /// What it can count here, or nothing if it cannot be used; then a line says so.
    pub(crate) fn events(self) -> Option<Vec<String>> {
        match self {
            Tool::Strace => {
                let usable = self.run(&[], "true", &[]).is_ok();
                if !usable {
                    println!("skipped: there is no strace that may count here");
                }
                usable.then(Vec::new)
            }
            Tool::Perf => {
                let counts = |(event, _): &(&str, &str)| {
                    let event = (*event).to_owned();
                    let counts = self.run(std::slice::from_ref(&event), "true", &[]);
                    counts.is_ok_and(|counts| !counts.is_empty()).then_some(event)
                };
                let (usable, missing): (Vec<_>, Vec<_>) = EVENTS
                    .iter()
                    .map(|event| counts(event).ok_or(event.0))
                    .partition(Result::is_ok);
                let missing: Vec<_> = missing.into_iter().filter_map(Result::err).collect();
                if !missing.is_empty() {
                    println!("skipped: there is no perf that counts {} here", missing.join(", "));
                }
                let usable: Vec<_> = usable.into_iter().flatten().collect();
                (!usable.is_empty()).then_some(usable)
            }
        }
    }

    /// What this program does when it is run with these arguments.
    pub(crate) fn count(self, events: &[String], args: &[String]) -> Outcome<Counts> {
        let program = env::current_exe()?;
        self.run(events, program.to_str().ok_or("the path of this program is not UTF-8")?, args)
    }

    fn run(self, events: &[String], program: &str, args: &[String]) -> Outcome<Counts> {
        let file = NamedTempFile::new()?;
        let mut command = match self {
            Tool::Perf => Command::new("perf"),
            Tool::Strace => Command::new("strace"),
        };
        match self {
            Tool::Perf => command.args(["stat", "-x", ",", "-e", &events.join(",")]),
            Tool::Strace => command.args(["-f", "-c", "-U", "name,calls"]),
        };
        command.arg("-o").arg(file.path()).arg("--").arg(program).args(args);
        let output = command.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().into());
        }
        let text = fs::read_to_string(file.path())?;
        Ok(match self {
            Tool::Perf => perf_counts(&text),
            Tool::Strace => strace_counts(&text),
        })
    }
}

/// Lines with a count, a unit, and an event. An event that cannot be counted has words for a count.
fn perf_counts(text: &str) -> Counts {
    let count = |line: &str| {
        let mut fields = line.split(',');
        let count = fields.next()?.parse().ok()?;
        let event = fields.nth(1)?;
        let (_, name) = EVENTS.iter().find(|(known, _)| *known == event)?;
        Some(((*name).to_owned(), count))
    };
    text.lines().filter_map(count).collect()
}

/// Lines with a name and a count, and one for all together.
fn strace_counts(text: &str) -> Counts {
    let count = |line: &str| {
        let (name, count) = line.trim().split_once(char::is_whitespace)?;
        let name = if name == "total" { "calls" } else { name };
        Some((name.to_owned(), count.trim().parse().ok()?))
    };
    text.lines().filter_map(count).collect()
}
