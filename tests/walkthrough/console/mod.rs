//! The console sessions of the text run, and what comes is what the text shows.
//!
//! A block with `stage=` is a session ([`session`]) with the programs of that stage ([`programs`]) in
//! a real bash ([`shell`]), in an empty directory of its own. One without may only build and start.

mod netcat;
mod processes;
mod programs;
mod script;
mod session;
mod shell;
mod tests;

use crate::markdown::{Block, Code, Document};
use crate::report::{Counts, Finding, verdict};
use libtest_mimic::Trial;
pub use programs::run_if_asked;
use session::Session;
use std::sync::Arc;
pub use tests::tests;

const STAGES: [&str; 8] = ["1", "2", "3", "4", "5", "6", "7", "final"];

fn consoles(document: &Document) -> impl Iterator<Item = (usize, &Block, &Code)> {
    let codes = document.codes().enumerate();
    codes.filter(|(_, (_, code))| code.language == "console").map(|(at, (b, c))| (at, b, c))
}

/// A trial for each session, and one for all that is not run.
pub fn trials(document: &Arc<Document>, counts: &Arc<Counts>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (at, block, code) in consoles(document).filter(|(_, _, code)| code.has("stage")) {
        let name = format!("console::the_session_in_line_{}_goes_as_shown", block.line);
        let is_left_out = code.has("debug") && !cfg!(debug_assertions);
        let (document, counts) = (Arc::clone(document), Arc::clone(counts));
        let trial = Trial::test(name, move || {
            let (block, code) = document.codes().nth(at).unwrap();
            let (findings, commands) = run(block.line, code);
            counts.add("console sessions run", 1);
            counts.add("console commands run", commands);
            verdict(&document, findings)
        });
        trials.push(trial.with_ignored_flag(is_left_out));
    }
    let document = Arc::clone(document);
    let name = "console::blocks_that_are_not_run_only_build_and_start";
    trials.push(Trial::test(name, move || verdict(&document, not_plain(&document))));
    trials
}

/// What differs, up to the first command that goes wrong, and how many commands were run.
fn run(line: usize, code: &Code) -> (Vec<Finding>, usize) {
    let stage = code.get("stage").unwrap_or_default();
    if !STAGES.contains(&stage) {
        return (vec![Finding::new(line, format!("there is no stage `{stage}`"))], 0);
    }
    let steps = match script::steps(&code.text) {
        Ok(steps) => steps,
        Err(words) => return (vec![Finding::new(line + 1, words)], 0),
    };
    let mut session = Session::start(stage);
    for (number, step) in steps.iter().enumerate() {
        if let Err(words) = session.step(step) {
            let finding = Finding::new(line + 1 + step.line, format!("{}: {words}", step.command));
            return (vec![finding], number + 1);
        }
    }
    (Vec::new(), steps.len())
}

/// What blocks that are not run may not have.
fn not_plain(document: &Document) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, block, code) in consoles(document).filter(|(_, _, code)| !code.has("stage")) {
        let steps = script::steps(&code.text).unwrap_or_default();
        let odd = steps.iter().find(|step| !script::is_plain(step));
        if steps.is_empty() || odd.is_some() {
            let words = "without `stage=` a block is not run, and may have no output and only \
                         commands that build, fetch or start";
            let line = block.line + odd.map_or(0, |step| 1 + step.line);
            findings.push(Finding::new(line, words));
        }
    }
    findings
}
