//! What `final` promises, and how often each promise was put to the test.
//!
//! ```console
//! $ cargo test --release -p final --test promises -- --nocapture
//! ```
//!
//! runs every row of the table and prints a line for each: whether it holds, the time, the seed, the
//! promise, and the counts. After a row has held, what is planted for it is tried as well: something
//! broken, which must be noticed. Some minutes on two cores.
//!
//! | after `--` | |
//! |---|---|
//! | a word | only the rows whose name has it |
//! | `--list` | names the rows |
//! | `--seed N` | other choices than those of seed 0; what fails says which repeats it |
//! | `--deep` | the long version: hours |
//! | `--all` | a row that is skipped is a failure |
//! | `--record` | writes `record.json` and the table in the README, if every row held |
//!
//! What needs root, loop devices or a program that is not there is skipped, with the reason. A run in
//! which nothing holds is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests are tests

// The decoder of records, which `fuzzed` includes, finds here what it calls `crate`.
use kvs_final::{KvsError, Result};

mod broken;
mod cuts;
mod fuzzed;
mod history;
mod killed;
mod kills;
mod linearizable;
mod load;
mod owners;
mod pools;
mod possible;
mod record;
mod row;
mod rows;
mod simulated;
mod small;
mod soak;
mod suites;
mod twice;
#[path = "../support"]
mod support {
    pub(crate) mod local;
    pub(crate) mod planted;
    pub(crate) mod power;
    pub(crate) mod process;
    #[path = "../../../tests/support/server.rs"]
    #[allow(unreachable_pub)]
    pub(crate) mod server;
    pub(crate) mod sigterm;
    pub(crate) mod visits;
}

use record::{Line, Record};
use row::{Row, Size, Stop};
use rows::ROWS;
use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{env, io, process, thread};

/// What the command line asks for.
#[derive(Default)]
struct Options {
    words: Vec<String>,
    list: bool,
    deep: bool,
    all: bool,
    seed: u64,
    record: bool,
}

impl Options {
    fn parse(arguments: impl IntoIterator<Item = String>) -> std::result::Result<Options, String> {
        let mut options = Options::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--list" => options.list = true,
                "--deep" => options.deep = true,
                "--all" => options.all = true,
                "--record" => options.record = true,
                "--seed" => {
                    let seed = arguments.next().and_then(|seed| seed.parse().ok());
                    options.seed = seed.ok_or("--seed wants a number")?;
                }
                // Output is never captured here.
                "--nocapture" => {}
                word if word.starts_with('-') => return Err(format!("there is no {word}")),
                _ => options.words.push(argument),
            }
        }
        let is_in_a_name = |word: &&String| ROWS.iter().any(|row| row.name.contains(&***word));
        match options.words.iter().find(|word| !is_in_a_name(word)) {
            Some(word) => Err(format!("no row has `{word}` in its name; --list names them")),
            None => Ok(options),
        }
    }

    fn picks(&self, row: &Row) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| row.name.contains(&**word))
    }

    /// Whether a run with these verdicts is a success.
    fn are_met_by(&self, lines: &[Line]) -> bool {
        let is_allowed =
            |line: &Line| line.verdict == "holds" || (line.verdict == "skipped" && !self.all);
        lines.iter().all(is_allowed) && lines.iter().any(|line| line.verdict == "holds")
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("promises: {error}");
            return ExitCode::FAILURE;
        }
    };
    if options.list {
        ROWS.iter().for_each(|row| println!("{}: {}", row.name, row.promise));
        return ExitCode::SUCCESS;
    }
    if cfg!(debug_assertions) {
        println!("the promises are put to the test by a release build: cargo test --release");
        return exit_code(true);
    }
    row::note_panics_and_print_nothing();
    let since = Instant::now();
    let lines: Vec<Line> = ROWS
        .iter()
        .filter(|row| options.picks(row))
        .map(|row| show(row, Size { deep: options.deep, seed: options.seed }))
        .collect();
    let held = lines.iter().filter(|line| line.verdict == "holds").count();
    let is_met = options.are_met_by(&lines);
    println!("{held} of {} promises hold; {}", lines.len(), seconds(since.elapsed()));
    if options.record {
        if held < ROWS.len() {
            eprintln!("promises: a record is of all rows");
            return ExitCode::FAILURE;
        }
        Record::of(lines, options.deep).write(ROWS);
        return exit_code(is_met);
    }
    exit_code(is_met)
}

/// Success, if the table in the README is as it should be too, and what looks at the rows bites.
fn exit_code(holds: bool) -> ExitCode {
    match row::bites().and_then(|()| Record::read().agrees_with_readme(ROWS)) {
        Ok(()) if holds => return ExitCode::SUCCESS,
        Ok(()) => {}
        Err(error) => eprintln!("promises: {error}"),
    }
    ExitCode::FAILURE
}

/// Runs a row and prints its line.
fn show(row: &Row, size: Size) -> Line {
    let since = Instant::now();
    let outcome = watched(row, size, || row.run(size));
    let time = since.elapsed();
    let (verdict, counts, words) = match outcome {
        Ok(counts) => {
            let counts = record::counts(&counts);
            let planted: Vec<&str> = row.planted.iter().map(|(what, ..)| *what).collect();
            let words = format!("{counts}; noticed: {}", planted.join(", "));
            ("holds", counts, words)
        }
        Err(Stop::Skipped(reason)) => ("skipped", String::new(), reason),
        Err(Stop::Failed { seed, error }) => {
            let again = again(row, Size { seed, ..size });
            ("FAILS", String::new(), format!("{error}\n    again: {again}"))
        }
    };
    println!("{verdict:<7} {:>8} seed {} {}: {words}", seconds(time), size.seed, row.promise);
    let _ = io::stdout().flush();
    Line { name: row.name.to_owned(), verdict: verdict.to_owned(), counts, seconds: time.as_secs() }
}

/// The command that does the same once more.
fn again(row: &Row, size: Size) -> String {
    let deep = if size.deep { " --deep" } else { "" };
    let (name, seed) = (row.name, size.seed);
    format!("cargo test --release -p final --test promises -- {name} --seed {seed}{deep}")
}

/// Does the work of a row. If that does not end, the process does.
fn watched<T>(row: &Row, size: Size, work: impl FnOnce() -> T) -> T {
    let (done, is_done) = mpsc::channel::<()>();
    // Reached by no row, on a busy machine either.
    let limit = Duration::from_secs(size.pick(600, 4 * 3600));
    let words = format!("{} does not end\n    again: {}", row.promise, again(row, size));
    thread::spawn(move || {
        if is_done.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            println!("FAILS   {:>8} {words}", seconds(limit));
            process::exit(1);
        }
    });
    let result = work();
    drop(done);
    result
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
