//! What each stage can and cannot do, as a table that is measured.
//!
//! A row is a stage, a column a property, and each cell is a test: a server of that stage is started
//! in a process of its own, and what it does is compared with what is written in [`EXPECTED`]. A
//! stage that can do more than is written there fails as well.
//!
//! No cell measures a time. To stop a reader or a writer in the middle, the
//! server's process installs a hook at the log's sync points. That an answer does *not* come is concluded
//! from the server having gone to sleep, all its threads, without having sent it.
//!
//! `cargo test --test matrix` prints the table; with `--features stage-N` only row N.

mod properties;
mod stage_process;

use libtest_mimic::{Arguments, Trial};
use properties::PROPERTIES;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

/// For each stage, in the order of [`PROPERTIES`], whether it has the property.
const EXPECTED: [(&str, &str); 9] = [
    ("0", "no  yes no  no  no  no  no  no  no  no"),
    ("1", "no  yes no  no  no  no  no  no  no  no"),
    ("2", "no  yes no  no  no  no  no  no  no  no"),
    ("3", "yes no  yes no  no  yes no  no  no  no"),
    ("4", "yes yes yes no  no  no  no  no  no  no"),
    ("5", "yes yes yes no  no  no  no  no  yes no"),
    ("6", "yes yes yes yes no  no  no  no  yes no"),
    ("7", "yes yes yes yes yes no  no  no  yes no"),
    ("final", "yes yes yes yes yes yes yes yes yes yes"),
];

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

    let measured = Arc::new(Mutex::new(BTreeMap::new()));
    let mut trials = Vec::new();
    for (stage, row) in EXPECTED.into_iter().filter(|(stage, _)| [stage, "final"].contains(&PICKED))
    {
        for (column, (property, expected)) in
            PROPERTIES.iter().zip(row.split_whitespace()).enumerate()
        {
            if stage == "4" && num_cpus::get() == 1 {
                // Its pool has as many threads as the machine has cores: one can show nothing.
                continue;
            }
            let measured = Arc::clone(&measured);
            let name = format!("stage_{stage}::{expected}_{}", property.words.replace(' ', "_"));
            trials.push(Trial::test(name, move || {
                let found = if (property.holds)(stage) { "yes" } else { "no" };
                measured.lock().unwrap().insert((stage, column), found);
                if found == expected {
                    return Ok(());
                }
                Err(format!("expected {expected}, found {found}: {}", property.words).into())
            }));
        }
    }
    let arguments = Arguments::from_args();
    let conclusion = libtest_mimic::run(&arguments, trials);
    print_table(&measured.lock().unwrap());
    conclusion.exit_code()
}

fn print_table(measured: &BTreeMap<(&str, usize), &str>) {
    print!("| stage |");
    for property in PROPERTIES {
        print!(" {} |", property.words);
    }
    print!("\n|---|{}", "---|".repeat(PROPERTIES.len()));
    for (stage, _) in EXPECTED {
        let cells = (0..PROPERTIES.len()).map(|column| measured.get(&(stage, column)));
        if cells.clone().all(|cell| cell.is_none()) {
            continue;
        }
        print!("\n| {stage} |");
        for cell in cells {
            print!(" {} |", cell.unwrap_or(&"?"));
        }
    }
    println!();
}
