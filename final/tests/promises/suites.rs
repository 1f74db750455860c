//! What other test programs show. They are run as everybody runs them.

use super::*;
use kvs_test_kit::environment;

/// What a test program printed.
struct Printed(String);

impl Printed {
    /// By a command that has to succeed.
    fn by(command: &mut Command) -> Result<Printed, String> {
        let output = command.env("RUST_BACKTRACE", "0").output();
        let output = output.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.success() {
            true => Ok(Printed(text)),
            false => {
                let errors = String::from_utf8_lossy(&output.stderr);
                Err(format!("{command:?} fails:\n{text}\n{errors}"))
            }
        }
    }

    /// By those tests of these modules of `tests/integration` whose names begin so, which meet the fault.
    fn by_tests(modules: &[&str], prefix: &str, run: Run) -> Result<Printed, String> {
        let mut command = Command::new(env!("CARGO"));
        command.args(["test", "--release", "--quiet", "--package", "final"]);
        command.args(["--test", "integration", "--", "--nocapture"]);
        command.args(modules.iter().map(|module| format!("{module}::{prefix}")));
        Printed::by(command.env(environment::FAULT, run.fault))
    }

    /// By all models, or by the one of that name with that fault.
    fn by_models(names: &[&str]) -> Result<Printed, String> {
        let target = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/loom");
        let mut command = Command::new(env!("CARGO"));
        command.args(["test", "--release", "--quiet", "--package", "final", "--test", "models"]);
        command.args(["--target-dir", target, "--"]).args(names);
        Printed::by(command.env("RUSTFLAGS", "--cfg loom"))
    }

    /// How many tests passed.
    fn passed(&self) -> u64 {
        let results = self.0.lines().filter_map(|line| line.strip_prefix("test result: ok. "));
        results.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// The numbers in the line that has this text.
    fn numbers(&self, text: &str) -> Vec<u64> {
        let line = self.0.lines().find(|line| line.contains(text)).unwrap_or_default();
        let parts = line.split(|letter: char| !letter.is_ascii_digit());
        parts.filter_map(|part| part.parse().ok()).collect()
    }
}

/// The tests of these modules, or those of them which meet the fault: their names begin so.
pub(crate) fn passed(modules: &[&str], meet_fault: &str, at_least: u64, run: Run) -> Outcome {
    let prefix = if run.fault.is_empty() { "" } else { meet_fault };
    Ok(vec![count(Printed::by_tests(modules, prefix, run)?.passed(), "tests", at_least)])
}

/// Limits on both sides of each, hostile clients, and a process that runs out of something.
pub(crate) fn clients(run: Run) -> Outcome {
    match run.fault {
        "a limit that is one too high" => passed(&["limits"], "a_key_or_value", 1, run),
        "a client that takes what is another's" => {
            passed(&["hostile"], "lines_without_end", 1, run)
        }
        "a panic that takes others along" => passed(&["exhausted"], "a_panic_closes", 3, run),
        _ => passed(&["limits", "hostile", "timeouts", "exhausted"], "", 30, run),
    }
}

/// All models, which have to find faults of their own; one fault is not said to be one.
pub(crate) fn models(run: Run) -> Outcome {
    let fault = ["publish after append", "found before it is written"];
    let all = Printed::by_models(if run.fault.is_empty() { &[] } else { &fault })?;
    let [models, unbounded, executions, found, injected] = all.numbers("faults found")[..] else {
        return Err(format!("the models end with no counts: {}", all.0));
    };
    Ok(vec![
        count(models, "models", 20),
        count(unbounded, "of them without a bound", 5),
        count(executions, "executions", 500_000),
        count(found, format!("of {injected} injected faults found"), injected),
    ])
}
