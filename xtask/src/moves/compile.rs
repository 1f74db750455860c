//! Compiles what a reader has typed so far, and runs the detours.
//!
//! The package is written to `target/moves`, with the dependencies that the stages have. It is always
//! the same one, so only itself is compiled anew.

use super::package::Package;
use super::replay::{Expected, State};
use crate::problem::Problem;
use crate::programs::{self, Compiled};
use crate::stages::Stage;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// What the program of a detour calls the library.
const NAME: &str = "detour";

/// Compiles each state. One that doesn't compile is a problem where the text says that it does;
/// elsewhere it is only printed.
pub(super) fn check(root: &Path, file: &str, states: &[State]) -> Vec<Problem> {
    let dir = root.join("target/moves");
    let mut problems = Vec::new();
    for state in states {
        let wrong = write(root, &dir, "kvs", &state.package)
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
    let run = |command| cargo(dir, command).map_err(|error| error.to_string());
    let Expected::Ends(result, rest) = &state.expected else {
        return run("check")?.0.succeeds();
    };
    if let Some(code) = result.strip_prefix("fails=") {
        let shown = rest.split_once("```text\n").and_then(|(_, rest)| rest.split_once("```"));
        let shown: Vec<&str> = shown.map_or("", |(shown, _)| shown).lines().collect();
        return run("check")?.0.fails_with(code, &shown);
    }
    let (compiled, library) = run("build")?;
    compiled.succeeds()?;
    let library = library.ok_or("cargo names no library")?;
    let dependencies = dir.join("target/debug/deps");
    let stage = Stage { programs: dir.to_owned(), library, dependencies };
    if !rest.contains("```rust\n") {
        return Err(format!(
            "a detour that {result} needs a program: a `rust` fence after the `diff`"
        ));
    }
    let program = rest.replacen("```rust\n", &format!("```rust {result} stage={NAME}\n"), 1);
    let program = program.replacen("```text\n", "```text output\n", 1);
    let problems = programs::check("", &program, &BTreeMap::from([(NAME.to_owned(), stage)]));
    problems.into_iter().next().map_or(Ok(()), |problem| Err(problem.message))
}

/// Writes a package of some name, and takes away what an earlier one had in its place.
pub(super) fn write(root: &Path, dir: &Path, name: &str, package: &Package) -> io::Result<()> {
    let _ = fs::remove_dir_all(dir.join("src"));
    for (file, text) in &package.files {
        let path = dir.join(file);
        fs::create_dir_all(path.parent().unwrap_or(dir))?;
        fs::write(path, text)?;
    }
    let mut manifest = format!("[package]\nname = {name:?}\nedition = \"2024\"\n\n[workspace]\n\n");
    manifest += "[dependencies]\n";
    for (name, options) in &package.dependencies {
        manifest += &format!("{name} = {}\n", table(root, options));
    }
    fs::write(dir.join("Cargo.toml"), manifest)?;
    let lock = root.join("Cargo.lock");
    if lock.exists() { fs::copy(lock, dir.join("Cargo.lock")).map(drop) } else { Ok(()) }
}

/// What `cargo add` writes for these options.
fn table(root: &Path, options: &str) -> String {
    let mut entries = Vec::new();
    let mut words = options.split(' ');
    while let Some(word) = words.next() {
        entries.push(match word {
            "" => continue,
            "--no-default-features" => "default-features = false".to_owned(),
            "--path" => format!("path = {:?}", root.join(words.next().unwrap_or_default())),
            "--features" => {
                let features = words.next().unwrap_or_default().split(',');
                format!("features = {:?}", features.collect::<Vec<_>>())
            }
            version => format!("version = {:?}", version.trim_start_matches('@')),
        });
    }
    format!("{{ {} }}", entries.join(", "))
}

/// Runs cargo on the package in `dir`: what it says, and the library that it has built.
fn cargo(dir: &Path, command: &str) -> io::Result<(Compiled, Option<PathBuf>)> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(dir).args([command, "--lib", "--offline", "--message-format", "json"]);
    cargo.arg("--target-dir").arg(dir.join("target"));
    let output = cargo.output()?;
    let (mut codes, mut said, mut library) = (BTreeSet::new(), String::new(), None);
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line).unwrap_or_default();
        let told = &message["message"];
        if told["level"] == "error" {
            codes.extend(told["code"]["code"].as_str().map(str::to_owned));
            said += told["rendered"].as_str().unwrap_or_default();
        }
        if message["target"]["name"] == "kvs" {
            let mut files = message["filenames"].as_array().into_iter().flatten();
            let file = files.find_map(|file| file.as_str().filter(|file| file.ends_with(".rlib")));
            library = file.map(PathBuf::from).or(library);
        }
    }
    if said.is_empty() {
        said = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    Ok((Compiled { status: output.status, codes, output: said }, library))
}
