//! Compiles what a reader has typed so far, and runs the detours.
//!
//! The package is written to `target/moves`, with the dependencies that the stages have. It is always
//! the same one, so only itself is compiled anew.

use super::replay::{Expected, State};
use crate::compiled::{Compiled, cargo};
use crate::problem::Problem;
use crate::programs;
use crate::stages::Stage;
use crate::text::fences;
use std::path::Path;

/// Compiles each state. One that doesn't compile is a problem where the text says that it does;
/// elsewhere it is only printed.
pub(super) fn check(root: &Path, file: &str, states: &[State]) -> Vec<Problem> {
    let dir = root.join("target/moves");
    let mut problems = Vec::new();
    for state in states {
        let wrong = state
            .package
            .write(root, &dir, "kvs")
            .map_err(|error| error.to_string())
            .and_then(|()| compile(&dir, state));
        match (wrong, &state.expected) {
            (Ok(()), _) => {}
            (Err(wrong), Expected::Anything) => {
                let error = wrong.lines().find(|line| line.starts_with("error"));
                println!("{file}:{}: after this: {}", state.line, error.unwrap_or(&wrong));
            }
            (Err(wrong), _) => problems.push(Problem::new(file, state.line, wrong)),
        }
    }
    problems
}

/// Compiles a state that is written to `dir`, and runs it if it is a detour.
fn compile(dir: &Path, state: &State) -> Result<(), String> {
    let run = |command| {
        let options = ["--lib", "--offline", "--message-format", "json", "--target-dir", "target"];
        Compiled::by(cargo().current_dir(dir).arg(command).args(options))
    };
    let Expected::Ends(result, rest) = &state.expected else {
        return run("check")?.succeeds();
    };
    let fences = fences(rest);
    let text = |language| fences.iter().find(|f| f.language == language).map(|f| f.text);
    let built = run("build")?;
    built.succeeds()?;
    let library = built.library.ok_or("cargo names no library")?;
    let stage = Stage { programs: dir.to_owned(), library };
    let needed =
        || format!("a detour that {result} needs a program: a `rust` fence after the `diff`");
    programs::ends((result, ""), text("rust").ok_or_else(needed)?, text("text"), &stage)
}
