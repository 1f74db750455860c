//! Code that is wrong is wrong in the way that the text says.
//!
//! A block of Rust with one of these attributes, and a stage, is a program, or statements for a
//! `main`, with that stage's library under the name `kvs`. All that the tests were linked with can be
//! used too. It runs in an empty directory of its own.
//!
//! - `fails=E0382`: does not compile, with this error and no other. A block `text error=E0382` after
//!   it shows lines of what the compiler says, in their order.
//! - `runs`: ends well. `panics`: ends with a panic. `hangs`: all its threads go to sleep, and it has
//!   not ended; so a program that hangs must not sleep by itself. A block `text output` after one of
//!   them shows all that it prints: a panic's words too, after what went to stdout.

mod compile;
mod run;
mod tests;

use crate::expected::{line_matches, lines_match};
use crate::markdown::{Content, Document};
use crate::report::{Counts, Finding, verdict};
use compile::{Compiled, compile, without_number};
use libtest_mimic::Trial;
use run::run;
use std::sync::Arc;
use tempfile::TempDir;
pub use tests::tests;

/// A block that is compiled.
struct Program<'a> {
    line: usize,
    stage: &'a str,
    fate: Fate<'a>,
    text: &'a str,
    /// The block after it, if it shows what the compiler or the program says.
    shown: Option<Shown<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate<'a> {
    Fails(&'a str),
    Hangs,
    Panics,
    Runs,
}

struct Shown<'a> {
    line: usize,
    /// Of a compiler's output.
    error: Option<&'a str>,
    lines: Vec<&'a str>,
}

/// A trial for each block.
pub fn trials(document: &Arc<Document>, counts: &Arc<Counts>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (at, program) in programs(document).iter().enumerate() {
        let fate = match program.fate {
            Fate::Fails(code) => format!("fails_with_{code}"),
            Fate::Hangs => "hangs".to_owned(),
            Fate::Panics => "panics".to_owned(),
            Fate::Runs => "runs".to_owned(),
        };
        let name = format!("code::the_program_in_line_{}_{fate}", program.line);
        let (document, counts) = (Arc::clone(document), Arc::clone(counts));
        trials.push(Trial::test(name, move || {
            let program = &programs(&document)[at];
            counts.add("programs: fail, hang, panic or run", 1);
            verdict(&document, program.check().err().into_iter().collect())
        }));
    }
    let document = Arc::clone(document);
    let name = "code::words_of_a_compiler_or_a_program_follow_their_block";
    trials.push(Trial::test(name, move || verdict(&document, lonely(&document))));
    trials
}

fn programs(document: &Document) -> Vec<Program<'_>> {
    let mut programs: Vec<Program> = Vec::new();
    let mut is_next = false;
    for block in &document.blocks {
        let Content::Code(code) = &block.content else {
            // The words that lead from one block to the next may stand between.
            is_next &= matches!(block.content, Content::Prose(_));
            continue;
        };
        let is_words = code.language == "text" && (code.has("error") || code.has("output"));
        if is_words
            && is_next
            && let Some(program) = programs.last_mut()
        {
            let lines = code.text.lines().collect();
            program.shown = Some(Shown { line: block.line, error: code.get("error"), lines });
        }
        let fates = [("hangs", Fate::Hangs), ("panics", Fate::Panics), ("runs", Fate::Runs)];
        let fate = fates.into_iter().find(|(name, _)| code.has(name)).map(|(_, fate)| fate);
        let fate = code.get("fails").map(Fate::Fails).or(fate);
        is_next = code.language == "rust" && fate.is_some();
        if is_next && let Some(fate) = fate {
            let (line, stage) = (block.line, code.get("stage").unwrap_or_default());
            programs.push(Program { line, stage, fate, text: &code.text, shown: None });
        }
    }
    programs
}

/// The blocks that show the words of nobody.
fn lonely(document: &Document) -> Vec<Finding> {
    let programs = programs(document);
    let shown: Vec<usize> = programs.iter().filter_map(|p| Some(p.shown.as_ref()?.line)).collect();
    let words = document.codes().filter(|(_, code)| code.has("error") || code.has("output"));
    let lonely = words.filter(|(block, _)| !shown.contains(&block.line));
    lonely.map(|(block, _)| Finding::new(block.line, "there is no program before it")).collect()
}

impl Program<'_> {
    fn check(&self) -> Result<(), Finding> {
        let here = |words: String| Finding::new(self.line, words);
        let dir = TempDir::new().unwrap();
        let fails = matches!(self.fate, Fate::Fails(_));
        let program = dir.path().join("block");
        let compiled = compile(self.text, self.stage, dir.path(), (!fails).then_some(&*program));
        let compiled = compiled.map_err(here)?;
        if let Fate::Fails(code) = self.fate {
            return self.check_error(code, &compiled);
        }
        if !compiled.status.success() {
            return Err(here(format!("does not compile:\n{}", compiled.words.join("\n"))));
        }
        if self.fate == Fate::Hangs && self.text.contains("sleep") {
            return Err(here("a program that hangs must not sleep by itself".to_owned()));
        }
        let ran = run(&program, dir.path());
        let ended = match ran.status {
            None => Some(Fate::Hangs),
            Some(status) if status.success() => Some(Fate::Runs),
            Some(status) if status.code() == Some(101) => Some(Fate::Panics),
            Some(_) => None,
        };
        if ended != Some(self.fate) {
            let how =
                ran.status.map_or("it hangs".to_owned(), |status| format!("it ended: {status}"));
            return Err(here(format!("{how}\n{}{}", ran.stdout, ran.stderr)));
        }
        let stderr = if self.fate == Fate::Panics { &*ran.stderr } else { "" };
        let said: Vec<&str> = ran.stdout.lines().chain(stderr.lines()).collect();
        match &self.shown {
            Some(shown) if shown.error.is_some() => {
                Err(Finding::new(shown.line, "the block before it compiles"))
            }
            Some(shown) if !lines_match(&shown.lines, &said) => {
                Err(Finding::new(shown.line, format!("it printed\n{}", said.join("\n"))))
            }
            _ => Ok(()),
        }
    }

    fn check_error(&self, code: &str, compiled: &Compiled) -> Result<(), Finding> {
        let said = compiled.words.join("\n");
        if compiled.status.success() {
            return Err(Finding::new(
                self.line,
                format!("it compiles, and does not fail with {code}"),
            ));
        }
        if !compiled.codes.iter().eq([code]) {
            let codes = &compiled.codes;
            return Err(Finding::new(self.line, format!("its errors are {codes:?}\n{said}")));
        }
        let Some(shown) = &self.shown else { return Ok(()) };
        if shown.error != Some(code) {
            return Err(Finding::new(shown.line, format!("the block before it fails with {code}")));
        }
        let mut rest = compiled.words.iter();
        for line in shown.lines.iter().filter(|line| !["", "...", "…"].contains(&line.trim())) {
            if !rest.any(|word| line_matches(&without_number(line), word)) {
                return Err(Finding::new(
                    shown.line,
                    format!("no `{line}` in its place in\n{said}"),
                ));
            }
        }
        Ok(())
    }
}
