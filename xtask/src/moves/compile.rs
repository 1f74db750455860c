//! Compiles what a reader has typed so far, and runs the detours.
//!
//! The package is written to `target/moves`, with the dependencies that the stages have. It is always
//! the same one, so only itself is compiled anew.

use super::replay::{Expected, State};
use super::typist;
use crate::compiled::{Compiled, cargo};
use crate::output_pattern::line_matches;
use crate::problem::Problem;
use crate::programs;
use crate::stages::Stage;
use crate::text::fences;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Compiles each state. One that doesn't compile is a problem where the text says that it does;
/// elsewhere it is only printed.
pub(super) fn check(root: &Path, file: &str, states: &[State]) -> Vec<Problem> {
    let dir = root.join("target/moves");
    let mut problems = Vec::new();
    // What a model has added to Cargo.toml, which the reader keeps.
    let mut added = String::new();
    for state in states {
        let written = state.package.write(root, &dir, "kvs").map_err(|error| error.to_string());
        let wrong = written.and_then(|()| match &state.expected {
            Expected::Model(body) => model(&dir, body, &mut added),
            _ => compile(&dir, state),
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

/// Compiles a state that is written to `dir`, and runs it if it is a detour.
fn compile(dir: &Path, state: &State) -> Result<(), String> {
    let run = |command| {
        let options = ["--lib", "--offline", "--message-format", "json"];
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

/// Does in `dir` what a model's fences say, in their order.
fn model(dir: &Path, body: &str, added: &mut String) -> Result<(), String> {
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
        match fence.language {
            "rust" => write(file, fence.text)?,
            "toml" => write(file, &(read(file)? + "\n" + fence.text))?,
            "diff" => {
                let lines: Vec<&str> = fence.text.lines().collect();
                write(file, &typist::patch(&read(file)?, &lines)?)?;
            }
            "console" => {
                output.clear();
                for command in fence.text.lines().filter_map(|line| line.strip_prefix("$ ")) {
                    let mut shell = Command::new("sh");
                    shell.args(["-c", &format!("{command} 2>&1")]).env("RUST_BACKTRACE", "0");
                    let ran = shell.current_dir(dir).output().map_err(|error| error.to_string())?;
                    output += &String::from_utf8_lossy(&ran.stdout);
                }
            }
            _ => {
                let mut said = output.lines();
                for line in fence.text.lines().filter(|line| !["", "…"].contains(line)) {
                    if !said.any(|said| line_matches(line, said)) {
                        return Err(format!("no `{line}` in its place in\n{output}"));
                    }
                }
            }
        }
    }
    let after = read("Cargo.toml")?;
    *added = after.strip_prefix(&manifest).ok_or("a model only adds to Cargo.toml")?.to_owned();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_whose_output_differs_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("Cargo.toml"), "[package]\n").unwrap();
        let body = "```rust file=a/b.rs\nold\n```\n```diff file=a/b.rs\n-old\n+new\n```\n\
            ```toml file=Cargo.toml\n[lints]\n```\n```console\n$ cat a/b.rs Cargo.toml\n```\n\
            ```text\nnew\n…\n[lints]\n```\n";
        let mut added = String::new();
        assert_eq!(model(home.path(), body, &mut added), Ok(()));
        assert_eq!(added, "\n[lints]\n");
        let other = body.replace("text\nnew", "text\nold");
        let said = model(home.path(), &other, &mut added).unwrap_err();
        assert!(said.starts_with("no `old` in its place in\nnew\n"), "{said}");
    }
}
