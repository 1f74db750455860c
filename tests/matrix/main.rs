//! What each stage can and cannot do, as a table that is measured.
//!
//! A row is a property, a column a stage, and each cell is a test: a server of that stage is started
//! in a process of its own, and what it does is compared with what is written in `table.md`, which the
//! text shows. A stage that can do more than is written there fails as well.
//!
//! No cell measures a time. To stop a reader or a writer in the middle, the
//! server's process installs a hook at the log's sync points. That an answer does *not* come is concluded
//! from the server having gone to sleep, all its threads, without having sent it.
//!
//! `cargo test --test matrix` prints the table; with `--features stage-N` it tries stage N alone.

mod properties;
mod stage_process;

use libtest_mimic::{Arguments, Trial};
use properties::PROPERTIES;
use std::process::ExitCode;

/// A row for each of [`PROPERTIES`], in their order; whether each stage has it.
const TABLE: &str = include_str!("table.md");

/// The stage that the feature picks; `final` stands for the whole table.
const PICKED: &str = env!("KVS_STAGE");

fn main() -> ExitCode {
    if let Some(exit_code) = stage_process::run_if_asked() {
        return exit_code;
    }
    if !cfg!(debug_assertions) || !cfg!(target_os = "linux") {
        println!("the matrix needs a debug build, for the log's sync points, and Linux, for /proc");
        return ExitCode::SUCCESS;
    }

    let mut lines = TABLE.lines().map(|line| line.trim_matches(['|', ' ']).split(" | "));
    let stages: Vec<&str> = lines.next().into_iter().flatten().collect();
    let rows: Vec<_> = lines.skip(1).collect();
    assert_eq!(rows.len(), PROPERTIES.len());
    let mut trials = Vec::new();
    for (mut row, holds) in rows.into_iter().zip(PROPERTIES) {
        let property = row.next().unwrap_or_default();
        for (&stage, expected) in stages.iter().zip(row) {
            // The pool of stage 4 has as many threads as the machine has cores: one can show nothing.
            let shows_nothing = stage == "4" && num_cpus::get() == 1;
            if shows_nothing || ![stage, "final"].contains(&PICKED) {
                continue;
            }
            let name = format!("stage_{stage}::{expected}_{}", property.replace(' ', "_"));
            trials.push(Trial::test(name, move || {
                let found = if holds(stage) { "yes" } else { "no" };
                if found == expected {
                    return Ok(());
                }
                Err(format!("expected {expected}, found {found}: {property}").into())
            }));
        }
    }
    let cells = trials.len();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    if PICKED == "final" && conclusion.num_passed == cells as u64 {
        print!("{TABLE}");
    }
    conclusion.exit_code()
}
