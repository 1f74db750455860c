//! What ordinary tests show. They are run as everybody runs them.

use super::row::{Outcome, Size, Stop, count, failed};
use super::support::planted::PLANTED;
use super::support::sigterm::sigterm_under_load;
use std::process::Command;

/// What a command printed, if it succeeded.
fn printed(command: &mut Command) -> Result<String, Stop> {
    let output = command.output().map_err(|error| failed(0)(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(failed(0)(format!("{command:?} fails:\n{text}\n{errors}")))
}

/// What some tests printed.
struct Suites(String);

impl Suites {
    /// Runs the tests of these modules of `tests/integration`, with something planted if it is named,
    /// and then those of them whose names begin with `filter`.
    fn run(modules: &[&str], filter: &str, planted: &str) -> Result<Suites, Stop> {
        let mut command = Command::new(env!("CARGO"));
        command.env(PLANTED, planted).env("RUST_BACKTRACE", "0");
        command.args(["test", "--release", "--quiet", "--package", "final"]);
        command.args(["--test", "integration", "--", "--nocapture"]);
        command.args(modules.iter().map(|module| format!("{module}::{filter}")));
        printed(&mut command).map(Suites)
    }

    /// How many tests passed.
    fn passed(&self) -> u64 {
        let results = self.0.lines().filter_map(|line| line.strip_prefix("test result: ok. "));
        results.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// The numbers in the lines that have these words, in the order of the lines.
    fn numbers(&self, words: &str) -> Vec<Vec<u64>> {
        let lines = self.0.lines().filter(|line| line.contains(words));
        let numbers = |line: &str| -> Vec<u64> {
            let parts = line.split(|letter: char| !letter.is_ascii_digit());
            parts.filter_map(|part| part.parse().ok()).collect()
        };
        lines.map(numbers).collect()
    }
}

/// Runs some suites with a fault planted. They are to fail.
fn with_planted(targets: &[&str], filter: &str, planted: &str) -> Outcome {
    Suites::run(targets, filter, planted).map(|_| Vec::new())
}

pub(crate) fn crowd(_: Size) -> Outcome {
    let suites = Suites::run(&["crowd"], "", "")?;
    let idle = suites.numbers("idle connections:");
    let connections: u64 = idle.iter().filter_map(|line| line.first()).sum();
    let bytes = idle.iter().filter_map(|line| line.get(1)).max().copied().unwrap_or_default();
    Ok(vec![
        count(suites.passed(), "pools", 3),
        count(connections, "idle clients in all, beside slow senders and non-readers", 30_000),
        count(bytes, "bytes of memory for an idle connection at most", 0),
    ])
}

pub(crate) fn crowd_that_leaves_something(_: Size) -> Outcome {
    with_planted(
        &["crowd"],
        "a_crowd_costs_little_on_the_shared_queue",
        "idle clients that leave something behind",
    )
}

/// Limits on both sides of each, hostile clients, and a process that runs out of something.
pub(crate) fn clients(_: Size) -> Outcome {
    let targets = ["limits", "hostile", "timers", "fairness", "scarce", "leftovers"];
    Ok(vec![count(Suites::run(&targets, "", "")?.passed(), "tests", 38)])
}

pub(crate) fn clients_with_a_wrong_limit(_: Size) -> Outcome {
    with_planted(&["limits"], "a_key_or_value", "a limit that is one too high")
}

pub(crate) fn clients_that_disturb(_: Size) -> Outcome {
    with_planted(&["hostile"], "a_hundred_halves", "a client that takes what is another's")
}

pub(crate) fn clients_that_panic_together(_: Size) -> Outcome {
    with_planted(&["scarce"], "a_panic_on_rayon", "a panic that takes others along")
}

/// Runs the program `final/models`.
fn run_models(arguments: &[&str]) -> Result<Suites, Stop> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/models/Cargo.toml");
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--manifest-path", manifest, "--"]).args(arguments);
    command.env("RUST_BACKTRACE", "0");
    printed(&mut command).map(Suites)
}

/// All models, which have to find faults of their own.
pub(crate) fn models(_: Size) -> Outcome {
    let suites = run_models(&[])?;
    let numbers = suites.numbers("faults found").pop().unwrap_or_default();
    let [models, unbounded, executions, found, planted] = numbers[..] else {
        return Err(failed(0)(format!("the models end with no counts: {}", suites.0)));
    };
    Ok(vec![
        count(models, "models", 20),
        count(unbounded, "of them without a bound", 5),
        count(executions, "executions", 500_000),
        count(found, format!("of {planted} planted faults found"), planted),
    ])
}

pub(crate) fn model_with_a_fault(_: Size) -> Outcome {
    run_models(&["publish after append", "found before it is written"]).map(|_| Vec::new())
}

/// Directories that were written once and are opened ever after, and ones that are refused.
pub(crate) fn formats(_: Size) -> Outcome {
    Ok(vec![count(Suites::run(&["formats"], "", "")?.passed(), "tests", 8)])
}

pub(crate) fn formats_of_another_golden_file(_: Size) -> Outcome {
    with_planted(&["formats"], "a_golden", "a golden file that is not as it was")
}

pub(crate) fn formats_that_are_let_in(_: Size) -> Outcome {
    with_planted(&["formats"], "a_later", "a later format that is let in")
}

/// SIGTERM under load, of which 20 rounds are an ordinary test.
pub(crate) fn stops(size: Size) -> Outcome {
    let rounds = size.pick(100, 2_000);
    let acknowledged = sigterm_under_load(rounds, 0);
    Ok(vec![
        count(rounds, "rounds of SIGTERM", size.pick(100, 2_000)),
        count(acknowledged, "acknowledged writes", size.pick(10_000, 200_000)),
    ])
}

/// Requests that were never sent, taken for acknowledged ones.
pub(crate) fn stops_with_more(_: Size) -> Outcome {
    sigterm_under_load(1, 1_000_000);
    Ok(Vec::new())
}

/// Answers that came, taken for lost.
pub(crate) fn stops_with_less(_: Size) -> Outcome {
    sigterm_under_load(1, -10);
    Ok(Vec::new())
}
