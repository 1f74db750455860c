//! Has a whole text typed, compares what there is at the end of a chapter with the stage, compiles what a
//! reader has on the way, and makes the detours.
//!
//! The package is written to `target/moves`, with the dependencies that the stages have. It is always
//! the same one, so only itself is compiled anew.

use super::leg::{Leg, What};
use super::package::{self, Package};
use super::{each_leg, typist};
use crate::compiled::{Compiled, Stage, cargo};
use crate::programs;
use crate::text::{fences, in_order};
use crate::tree::Problem;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A package at some place of the text, where it compiles.
pub(super) struct State {
    line: usize,
    package: Package,
    /// What a detour says that begins here.
    detour: Option<String>,
}

/// What a reader has at the end of a chapter, or at a sub-stage in it.
pub(crate) struct End {
    pub(crate) chapter: usize,
    pub(crate) is_stage: bool,
    pub(crate) package: Package,
}

/// All that a reader of a text has at some time, in the order of the text.
#[derive(Default)]
pub(crate) struct Typed {
    pub(super) states: Vec<State>,
    pub(crate) ends: Vec<End>,
}

/// Types a whole text.
///
/// # Errors
/// If it can't be typed, or if the end of a chapter is not as the stage is.
pub(crate) fn typed(root: &Path, file: &str, text: &str) -> Result<Typed, Vec<Problem>> {
    let mut typed = Typed::default();
    each_leg(root, file, text, |leg| {
        let package = type_leg(leg, text, &mut typed.states)
            .map_err(|(line, error)| vec![Problem::new(file, line, error)])?;
        let is_stage = !leg.dir.contains("/steps/");
        typed.ends.push(End { chapter: leg.chapter, is_stage, package });
        Ok(())
    })?;
    Ok(typed)
}

/// Types what a leg says, up to the first error.
fn type_leg(leg: &Leg, text: &str, states: &mut Vec<State>) -> Result<Package, (usize, String)> {
    let mut package = leg.old.clone();
    for directive in leg.directives {
        let line = directive.line;
        let body = &text[directive.body.clone()];
        let detour = match &directive.what {
            What::Move { .. } => {
                typist::type_in(&mut package, body).map_err(|error| (line, error))?;
                continue;
            }
            What::Try => Some(body.to_owned()),
            What::Compiles => None,
            What::Step(_) | What::Rename { .. } => continue,
        };
        states.push(State { line, package: package.clone(), detour });
    }
    match package::differing(&package, &leg.new).first() {
        None => Ok(package),
        Some(file) => {
            let lines = |package: &Package| package.files.get(file).cloned().unwrap_or_default();
            let (typed, stage) = (lines(&package), lines(&leg.new));
            let same = typed.lines().zip(stage.lines()).take_while(|(a, b)| a == b).count();
            let (line, dir) = (same + 1, &leg.dir);
            Err((leg.line, format!("what was typed is not {dir}: `{file}` differs in line {line}")))
        }
    }
}

/// Compiles the text's program where it says that it compiles, and makes the detours.
pub(super) fn compile(root: &Path, file: &str, states: &[State]) -> Vec<Problem> {
    let dir = root.join("target/moves");
    // What a detour has added to Cargo.toml, which the reader keeps.
    let mut added = String::new();
    let check = |state: &State| {
        state.package.write(root, &dir).map_err(|error| error.to_string())?;
        match &state.detour {
            Some(body) => detour(root, &dir, body, &mut added),
            None => cargo_says(&dir, "check")?.succeeds(),
        }
    };
    let results = states.iter().map(|state| state.line).zip(states.iter().map(check));
    results.filter_map(|(line, result)| Some(Problem::new(file, line, result.err()?))).collect()
}

fn cargo_says(dir: &Path, command: &str) -> Result<Compiled, String> {
    let options = ["--lib", "--offline", "--message-format", "json"];
    Compiled::by(cargo().current_dir(dir).arg(command).args(options))
}

/// Does in `dir` what the fences of a detour say, in their order. Dependencies are compiled once, in `target/moves`.
fn detour(root: &Path, dir: &Path, body: &str, added: &mut String) -> Result<(), String> {
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
