//! What ordinary tests show. They are run as everybody runs them.

use super::row::{Outcome, Size, Stop, count, failed};
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
    /// Runs those tests of these targets whose names have `filter`.
    fn run(targets: &[&str], filter: &str) -> Result<Suites, Stop> {
        let mut command = Command::new(env!("CARGO"));
        command.args(["test", "--release", "--quiet", "--package", "final"]);
        command.args(targets.iter().flat_map(|target| ["--test", target]));
        command.args([filter, "--", "--nocapture"]);
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

fn crowd_of(filter: &str) -> Outcome {
    let suites = Suites::run(&["crowd"], filter)?;
    let idle = suites.numbers("idle connections:");
    let connections: u64 = idle.iter().filter_map(|line| line.first()).sum();
    let bytes = idle.iter().filter_map(|line| line.get(1)).max().copied().unwrap_or_default();
    Ok(vec![
        count(suites.passed(), "pools", 3),
        count(connections, "idle clients in all, beside slow senders and non-readers", 30_000),
        count(bytes, "bytes of memory for an idle connection at most", 0),
    ])
}

pub(crate) fn crowd(_: Size) -> Outcome {
    crowd_of("")
}

/// Of the three pools only one.
pub(crate) fn smaller_crowd(_: Size) -> Outcome {
    crowd_of("rayon")
}

fn clients_of(filter: &str) -> Outcome {
    let targets = ["limits", "hostile", "timers", "fairness", "scarce"];
    let passed = Suites::run(&targets, filter)?.passed();
    Ok(vec![count(passed, "tests", 30)])
}

/// Limits on both sides of each, hostile clients, and a process that runs out of something.
pub(crate) fn clients(_: Size) -> Outcome {
    clients_of("")
}

pub(crate) fn fewer_clients(_: Size) -> Outcome {
    clients_of("garbage")
}

/// The models of `final/models`, all or the one of this name. What is planted in them they play and
/// demand to be found themselves.
fn models_of(name: &[&str]) -> Outcome {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/models/Cargo.toml");
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--manifest-path", manifest, "--"]).args(name);
    let suites = Suites(printed(&mut command)?);
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

pub(crate) fn models(_: Size) -> Outcome {
    models_of(&[])
}

pub(crate) fn fewer_models(_: Size) -> Outcome {
    models_of(&["a sync fails"])
}

fn formats_of(filter: &str) -> Outcome {
    Ok(vec![count(Suites::run(&["formats"], filter)?.passed(), "tests", 7)])
}

/// Directories that were written once and are opened ever after, and ones that are refused.
pub(crate) fn formats(_: Size) -> Outcome {
    formats_of("")
}

pub(crate) fn fewer_formats(_: Size) -> Outcome {
    formats_of("golden")
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
