//! Compiles what a reader has typed so far, and makes the detours.
//!
//! The package is written to `target/moves`, with the dependencies that the stages have. It is always
//! the same one, so only itself is compiled anew.

use super::replay::{Expected, State};
use super::typist;
use crate::compiled::{Compiled, Stage, cargo};
use crate::output_pattern::in_order;
use crate::programs;
use crate::text::fences;
use crate::tree::Problem;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Compiles each state. One that doesn't compile is a problem where the text says that it does;
/// elsewhere it is only printed.
pub(super) fn check(root: &Path, file: &str, states: &[State]) -> Vec<Problem> {
    let dir = root.join("target/moves");
    let mut problems = Vec::new();
    // What a detour has added to Cargo.toml, which the reader keeps.
    let mut added = String::new();
    for state in states {
        let written = state.package.write(root, &dir, "kvs").map_err(|error| error.to_string());
        let wrong = written.and_then(|()| match &state.expected {
            Expected::Try(body) => detour(root, &dir, body, &mut added),
            _ => cargo_says(&dir, "check")?.succeeds(),
        });
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

fn cargo_says(dir: &Path, command: &str) -> Result<Compiled, String> {
    let options = ["--lib", "--offline", "--message-format", "json"];
    Compiled::by(cargo().current_dir(dir).arg(command).args(options))
}

/// Does in `dir` what the fences of a detour say, in their order. Dependencies are compiled once, in `target/moves`.
pub(crate) fn detour(
    root: &Path,
    dir: &Path,
    body: &str,
    added: &mut String,
) -> Result<(), String> {
    let read = |file: &str| fs::read_to_string(dir.join(file)).map_err(|e| format!("{file}: {e}"));
    let write = |file: &str, text: &str| {
        let path = dir.join(file);
        let made = fs::create_dir_all(path.parent().unwrap_or(dir));
        made.and_then(|()| fs::write(path, text)).map_err(|e| format!("{file}: {e}"))
    };
    let manifest = read("Cargo.toml")?;
    write("Cargo.toml", &format!("{manifest}{added}"))?;
    let mut output = String::new();
    for fence in fences(body) {
        let file = fence.get("file").unwrap_or_default();
        match (fence.language, programs::outcome(&fence)) {
            (_, Some(outcome)) => {
                let built = cargo_says(dir, "build")?;
                built.succeeds()?;
                let library = built.library.ok_or("cargo names no library")?;
                let stage = Stage { programs: dir.to_owned(), library };
                programs::ends(outcome, fence.text, None, &stage)?;
            }
            ("rust", None) => write(file, fence.text)?,
            ("toml", None) => write(file, &(read(file)? + "\n" + fence.text))?,
            ("diff", None) => {
                let lines: Vec<&str> = fence.text.lines().collect();
                write(file, &typist::patch(&read(file)?, &lines)?)?;
            }
            ("console", None) => {
                output.clear();
                for command in fence.text.lines().filter_map(|line| line.strip_prefix("$ ")) {
                    let mut shell = Command::new("sh");
                    shell.args(["-c", &format!("{command} 2>&1")]).env("RUST_BACKTRACE", "0");
                    shell.env("CARGO_TARGET_DIR", root.join("target/moves/target"));
                    let ran = shell.current_dir(dir).output().map_err(|error| error.to_string())?;
                    output += &String::from_utf8_lossy(&ran.stdout);
                }
            }
            _ => in_order(fence.text, &output)?,
        }
    }
    let after = read("Cargo.toml")?;
    *added = after.strip_prefix(&manifest).ok_or("a detour only adds to Cargo.toml")?.to_owned();
    Ok(())
}
