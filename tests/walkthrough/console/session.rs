//! Runs a session and compares what comes with what the text shows.
//!
//! What is whose is simple, so that a line that comes late disturbs nobody:
//!
//! - A command in the foreground has to print what is shown after it. A line there that it did not
//!   print has to come from a job in the background, which is waited for. What jobs say without
//!   being shown is left out.
//! - A command in the background is waited for until it has said what is shown after it. If nothing
//!   is shown it has to go to sleep, or end, without having said anything: a client that waits. So a
//!   server shows the line that it listens in.
//! - After `kill %1 %2` or `kill $(jobs -p)` it is waited until those jobs have ended, or sleep again;
//!   after a loop that started jobs, until they sleep. Then the shell has forgotten a job that a signal
//!   ended: its exit status is asked for in the same line, `kill %1; wait %1; echo $?`.
//!
//! A port 400N that a command or an output gives as `127.0.0.1:400N` (or with a blank, or `/`) stands
//! for one that is free. The shell's own words about jobs are not compared.

use super::processes;
use super::script::{Step, is_from_the_shell};
use super::shell::Shell;
use crate::expected::{beginning, line_matches, lines_match};
use kvs_test_kit::WATCHDOG;
use kvs_test_kit::wait::happens_in;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at what a job has said.
const LOOK: Duration = Duration::from_millis(2);

/// A command that runs in the background.
struct Job {
    output: PathBuf,
    /// Lines of it that the text has shown.
    shown: usize,
}

pub struct Session {
    shell: Shell,
    jobs: Vec<Job>,
    /// The process groups of all jobs that there were.
    groups: Vec<u32>,
    /// What stands for 4000, 4001, ….
    ports: Vec<u16>,
}

impl Session {
    pub fn start(stage: &str) -> Session {
        let ports: Vec<u16> = (0..4).map(|_| free_port()).collect();
        let shell = Shell::start(stage, &format!("127.0.0.1:{}", ports[0]));
        Session { shell, jobs: Vec::new(), groups: Vec::new(), ports }
    }

    /// Runs a command.
    ///
    /// # Errors
    /// In words, if something else came than what is expected.
    pub fn step(&mut self, step: &Step) -> Result<(), String> {
        let mut busy = self.signalled(&step.command)?;
        let done = self.shell.run(&self.with_real_ports(&step.command))?;
        let started = done.jobs.into_iter().filter(|job| !self.groups.contains(job));
        let started: Vec<u32> = started.collect();
        self.groups.extend(&started);
        let patterns: Vec<&str> = step.expected.iter().map(String::as_str).collect();
        if step.is_background() {
            let job = Job { output: done.output, shown: 0 };
            return self.started(job, &started, &patterns);
        }
        busy.extend(started);
        settle(&busy);
        let lines = self.lines(&done.output);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let is_own = |pattern: &&str| {
            ["...", "…"].contains(pattern) || lines.iter().any(|line| line_matches(pattern, line))
        };
        let (own, of_jobs): (Vec<&str>, Vec<&str>) = patterns.iter().partition(|p| is_own(p));
        if !lines_match(&own, &lines) {
            return Err(format!("it printed\n{}", lines.join("\n")));
        }
        of_jobs.iter().try_for_each(|pattern| self.wait_for(pattern))
    }

    /// Waits until a job that was started has said what is shown after it.
    fn started(&mut self, mut job: Job, groups: &[u32], patterns: &[&str]) -> Result<(), String> {
        let since = Instant::now();
        if patterns.is_empty() {
            settle(groups);
        }
        loop {
            let is_over = processes::of_groups(groups).is_empty();
            let lines = self.lines(&job.output);
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            if patterns.is_empty() && !lines.is_empty() {
                return Err(format!("it printed\n{}", lines.join("\n")));
            }
            if let Some(shown) = beginning(patterns, &lines) {
                job.shown = shown;
                self.jobs.push(job);
                return Ok(());
            }
            if is_over || since.elapsed() > WATCHDOG {
                return Err(format!("it printed\n{}", lines.join("\n")));
            }
            thread::sleep(LOOK);
        }
    }

    /// Waits for a line of any job.
    fn wait_for(&mut self, pattern: &str) -> Result<(), String> {
        let since = Instant::now();
        while !self.jobs.is_empty() && since.elapsed() < WATCHDOG {
            for at in 0..self.jobs.len() {
                let lines = self.lines(&self.jobs[at].output);
                let new = lines.iter().skip(self.jobs[at].shown);
                if let Some(further) = new.into_iter().position(|l| line_matches(pattern, l)) {
                    self.jobs[at].shown += further + 1;
                    return Ok(());
                }
            }
            thread::sleep(LOOK);
        }
        Err(format!("neither it nor a job in the background printed\n{pattern}"))
    }

    /// The process groups of the jobs that a `kill` names.
    fn signalled(&mut self, command: &str) -> Result<Vec<u32>, String> {
        let Some(names) = command.strip_prefix("kill ") else { return Ok(Vec::new()) };
        if names.contains("$(jobs -p)") {
            return Ok(self.groups.clone());
        }
        let words = names.split(|c: char| c != '%' && !c.is_ascii_digit());
        let names: Vec<&str> = words.filter(|word| word.starts_with('%')).collect();
        if names.is_empty() { Ok(Vec::new()) } else { self.shell.groups(&names) }
    }

    /// What a command has printed so far, in whole lines.
    fn lines(&self, output: &Path) -> Vec<String> {
        let bytes = fs::read(output).unwrap_or_default();
        let text = self.with_shown_ports(&String::from_utf8_lossy(&bytes));
        let whole = text.lines().filter(|line| !is_from_the_shell(line));
        whole.map(without_line_number).collect()
    }

    fn with_real_ports(&self, text: &str) -> String {
        self.ports.iter().zip(4000..).fold(text.to_owned(), |text, (real, shown): (_, u16)| {
            [':', ' ', '/'].into_iter().fold(text, |text, between| {
                let place = |port: u16| format!("127.0.0.1{between}{port}");
                text.replace(&place(shown), &place(*real))
            })
        })
    }

    fn with_shown_ports(&self, text: &str) -> String {
        self.ports.iter().zip(4000..).fold(text.to_owned(), |text, (real, shown): (_, u16)| {
            text.replace(&format!("127.0.0.1:{real}"), &format!("127.0.0.1:{shown}"))
        })
    }
}

/// Waits until process groups are gone or all of them sleep.
fn settle(groups: &[u32]) {
    if !groups.is_empty() {
        happens_in(|| processes::of_groups(groups), || false);
    }
}

/// `bash: line 7: kill: …`, as a terminal's shell has it: `bash: kill: …`.
fn without_line_number(line: &str) -> String {
    let rest = line.strip_prefix("bash: line ").and_then(|rest| rest.split_once(": "));
    rest.map_or_else(|| line.to_owned(), |(_, rest)| format!("bash: {rest}"))
}

/// A port that nobody listens on, below those that the system gives to others by itself, so that
/// nobody gets it before the session's server does.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Another test process has another start. Only the number counts, no other memory: relaxed.
    let start = (std::process::id() % 200) as u16 * 100;
    loop {
        let port = 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
