//! Code that is wrong is wrong in the way that the text says.
//!
//! A block of Rust with one of these attributes, and a stage, is a program, or statements for a `main`,
//! with that stage's library under the name `kvs`. It runs in an empty directory of its own.
//!
//! - `fails=E0382`: does not compile, with this error and no other. A block `text error=E0382` after it
//!   shows lines of what the compiler says, in their order.
//! - `runs`: ends well. `aborts`: ends by SIGABRT. `hangs`: all its threads go to sleep, and it has not
//!   ended; so a program that hangs must not sleep by itself. A block `text output` after one of them
//!   shows all that it prints to stdout.

use crate::compiled::{Compiled, Stage};
use crate::text::{Fence, fences, in_order, lines_match};
use crate::tree::Problem;
use kvs_bench_kit::usage::Running;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

const OUTCOMES: [&str; 4] = ["aborts", "fails", "hangs", "runs"];
/// The signal of `abort`, on Linux.
const SIGABRT: i32 = 6;
/// How often in a row all threads of a program have to be found asleep, and how long between.
const ASLEEP: usize = 50;
const LOOK: Duration = Duration::from_millis(4);

/// How a block ends that is run or compiled.
pub(crate) fn outcome<'a>(fence: &Fence<'a>) -> Option<(&'static str, &'a str)> {
    let outcomes = OUTCOMES.iter().filter(|_| fence.language == "rust");
    outcomes.into_iter().find_map(|outcome| Some((*outcome, fence.get(outcome)?)))
}

/// What goes otherwise than the text says.
pub(crate) fn check(file: &str, text: &str, stages: &BTreeMap<String, Stage>) -> Vec<Problem> {
    let fences = fences(text);
    let mut problems = Vec::new();
    for (at, fence) in fences.iter().enumerate().filter(|(_, fence)| !fence.is_generated) {
        let Some(outcome) = outcome(fence) else {
            if fence.language == "rust" {
                let message = "Rust that nobody checks: make it an excerpt, a move or a program";
                problems.push(Problem::new(file, fence.line, message));
            }
            continue;
        };
        let shown = fences.get(at + 1).filter(|next| is_output(next)).map(|next| next.text);
        let wrong = match stages.get(fence.get("stage").unwrap_or_default()) {
            Some(stage) => ends(outcome, fence.text, shown, stage).err(),
            None => Some("`stage=` names no stage".to_owned()),
        };
        problems.extend(wrong.map(|message| Problem::new(file, fence.line, message)));
    }
    problems
}

fn is_output(fence: &Fence) -> bool {
    fence.language == "text" && (fence.get("error").is_some() || fence.get("output").is_some())
}

/// Whether a program ends with this outcome, such as `fails` and an error's code, and what is shown.
pub(crate) fn ends(
    (expected, code): (&str, &str),
    text: &str,
    shown: Option<&str>,
    stage: &Stage,
) -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let compiled = compile(text, stage, dir.path())?;
    if expected == "fails" {
        return fails_with(&compiled, code, shown.unwrap_or_default());
    }
    compiled.succeeds()?;
    if expected == "hangs" && text.contains("sleep") {
        return Err("a program that hangs must not sleep by itself".to_owned());
    }
    let ran = run(dir.path()).map_err(|error| error.to_string())?;
    let outcome = match ran.status {
        None => "hangs",
        Some(status) if status.success() => "runs",
        Some(status) if status.signal() == Some(SIGABRT) => "aborts",
        Some(_) => "ends otherwise",
    };
    if outcome != expected {
        return Err(format!("it {outcome}, and printed\n{}{}", ran.stdout, ran.stderr));
    }
    let printed: Vec<&str> = ran.stdout.lines().collect();
    let is_shown = |shown: &str| lines_match(&shown.lines().collect::<Vec<_>>(), &printed);
    let is_good = shown.is_none_or(is_shown);
    is_good.then_some(()).ok_or_else(|| format!("it printed\n{}", printed.join("\n")))
}

/// Compiles a program into a directory.
fn compile(text: &str, stage: &Stage, dir: &Path) -> Result<Compiled, String> {
    let is_whole = text.lines().any(|line| line.starts_with("fn main()"));
    let text = if is_whole { text.to_owned() } else { format!("fn main() {{\n{text}}}\n") };
    // Where a reader would have it: the compiler's messages name it.
    let written = fs::create_dir(dir.join("src"));
    written.and_then(|()| fs::write(dir.join("src/main.rs"), text)).map_err(|e| e.to_string())?;
    let dependencies = stage.library.parent().unwrap_or(dir);
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "--error-format", "json", "--cap-lints", "allow"]);
    rustc.arg("-L").arg(format!("dependency={}", dependencies.display()));
    rustc.arg("--extern").arg(format!("kvs={}", stage.library.display()));
    Compiled::by(rustc.args(["-o", "program", "src/main.rs"]).current_dir(dir))
}

/// Whether a program fails to compile with this error and no other, and the compiler says these lines.
fn fails_with(compiled: &Compiled, code: &str, shown: &str) -> Result<(), String> {
    if compiled.succeeds().is_ok() {
        return Err(format!("it compiles, and doesn't fail with {code}"));
    }
    let (codes, output) = (&compiled.codes, &compiled.output);
    if !codes.iter().eq([code]) {
        return Err(format!("its errors are {codes:?}\n{output}"));
    }
    let [shown, output] = [shown, output].map(|text| {
        text.lines().map(|line| without_number(line).to_owned() + "\n").collect::<String>()
    });
    in_order(&shown, &output)
}

/// A line of the compiler's without the number in its margin, which counts the added line too.
fn without_number(line: &str) -> &str {
    let rest = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    if rest.starts_with('|') { rest } else { line }
}

/// How a program went.
struct Ran {
    /// None if it hangs.
    status: Option<ExitStatus>,
    stdout: String,
    stderr: String,
}

/// Runs the program in a directory until it ends, or all its threads sleep and nobody could wake them.
fn run(dir: &Path) -> std::io::Result<Ran> {
    let (stdout, stderr) = (dir.join("stdout"), dir.join("stderr"));
    let child = Command::new(dir.join("program"))
        .current_dir(dir)
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(File::create(&stdout)?)
        .stderr(File::create(&stderr)?)
        .spawn()?;
    let mut child = Running(child);
    let (mut last, mut looks) = (String::new(), 0);
    let mut status = child.0.try_wait()?;
    while status.is_none() && looks < ASLEEP {
        thread::sleep(LOOK);
        let threads = threads(child.0.id());
        let mut states = threads.lines().filter(|line| line.starts_with("State:"));
        let sleep = states.all(|state| state.contains("S (sleeping)"));
        looks = if sleep && threads == last { looks + 1 } else { 0 };
        last = threads;
        status = child.0.try_wait()?;
    }
    drop(child);
    let text = |path: &Path| fs::read_to_string(path);
    Ok(Ran { status, stdout: text(&stdout)?, stderr: text(&stderr)? })
}

/// What the kernel says of each thread of a process: its state, and how often it was switched to.
fn threads(process: u32) -> String {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
    let status =
        threads.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
    status.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::said;

    /// What is found in a text whose programs use no library.
    fn found(text: &str) -> Vec<String> {
        let nothing = Path::new(env!("CARGO_MANIFEST_DIR"));
        let stage = Stage { programs: nothing.to_owned(), library: nothing.join("libkvs.rlib") };
        let stages = BTreeMap::from([("1".to_owned(), stage)]);
        said(check("t.md", text, &stages))
    }

    fn program(attributes: &str, text: &str) -> String {
        format!("```rust {attributes} stage=1\n{text}\n```\n")
    }

    const WAITS: &str = "std::sync::mpsc::channel::<u8>().1.recv().ok();\n\
        let (_sender, receiver) = std::sync::mpsc::channel::<u8>(); receiver.recv().ok();";
    const MOVED: &str = "let s = String::new(); drop(s); drop(s);";

    #[test]
    fn a_program_that_does_something_else_is_noticed() {
        let output = "```text output\n43\n```\n";
        for (text, words) in [
            (program("fails=E0382", "drop(1);"), "it compiles, and doesn't fail with E0382"),
            (program("fails=E0383", MOVED), "its errors are {\"E0382\"}"),
            (program("fails=E0382", MOVED) + "```text error=E0382\nnever\n```\n", "no `never` in"),
            (program("runs", MOVED), "it doesn't compile"),
            (program("runs", WAITS), "it hangs"),
            (program("hangs", "panic!();"), "it ends otherwise"),
            (program("runs", "std::process::abort();"), "it aborts"),
            (program("hangs", "drop(1);"), "it runs"),
            (
                program("hangs", "loop { std::thread::sleep_ms(1) }"),
                "a program that hangs must not",
            ),
            (program("runs", "println!(\"42\");") + output, "it printed\n42"),
            (program("runs", "").replace("stage=1", "stage=9"), "`stage=` names no stage"),
            (program("", ""), "Rust that nobody checks"),
        ] {
            let found = found(&text);
            let words = format!("t.md:1: {words}");
            assert!(found.len() == 1 && found[0].starts_with(&words), "{found:?}, and not {words}");
        }
    }
}
