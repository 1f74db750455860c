//! Every number with a unit, a factor or a per cent in the prose is bound to where it comes from.
//!
//! A comment after the paragraph binds them, one `number = expression` each, separated by `;`:
//!
//! - `3.2 times = scaling/… : scaling/…`: what was measured (`records`), as an `expression`. The
//!   number is the value rounded to as many digits as the number has, at most three. Zeros at the
//!   end of a whole number are no digits, but that 10, 100 and so on have two.
//! - `3 times < …`: the value is more than that, and the text says so ("more than 3 times"). `>`
//!   likewise.
//! - `2 to 3 ms = … and …`: numbers that share a unit, each with its expression.
//! - `100 ms = setting FILE "literal"`: it stands in that file, with the number in it, as it is or
//!   in base units.
//! - `40 % = arithmetic 100 * 2 / 5`: it follows from other numbers; of per cents those are meant.
//!
//! `WALKTHROUGH=values` prints all that a number can be bound to, `WALKTHROUGH=claims` each bound
//! number with its value of today.

mod binding;
mod expression;
mod quantity;
mod records;
mod scan;
mod tests;

use crate::ROOT;
use crate::markdown::{Content, Document};
use crate::report::{Counts, Finding, verdict};
use binding::Binding;
use libtest_mimic::Trial;
use records::Records;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
pub use tests::tests;

/// Other texts that are held to the same rule.
const OTHERS: [&str; 2] = ["README.md", "benches/README.md"];

/// In the comments around what a program has put into a text, with a test of its own.
const MADE: [&str; 2] = ["made from", "made by"];
const END_OF_MADE: [&str; 2] = ["end of tables", "table ends"];

/// A paragraph, an item or a table, and what is bound after it.
struct Passage {
    line: usize,
    text: String,
    bindings: Vec<Binding>,
}

/// A trial for each chapter, and one for each of the other texts.
pub fn trials(document: &Arc<Document>, counts: &Arc<Counts>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for chapter in &document.chapters {
        let (document, counts) = (Arc::clone(document), Arc::clone(counts));
        let part = match (chapter.number, chapter.title.as_str()) {
            (Some(number), _) => format!("chapter_{number}"),
            (None, "") => "the_introduction".to_owned(),
            (None, title) => title.to_lowercase().replace(' ', "_"),
        };
        let name = format!("claims::the_numbers_of_{part}_are_bound");
        let blocks = chapter.blocks.clone();
        trials.push(Trial::test(name, move || check_part(&document, blocks, &counts)));
    }
    for name in OTHERS {
        let counts = Arc::clone(counts);
        let name_of_trial = format!("claims::the_numbers_of_{name}_are_bound");
        trials.push(Trial::test(name_of_trial, move || {
            let document = read(name);
            let all = 0..document.blocks.len();
            check_part(&document, all, &counts)
        }));
    }
    trials
}

/// All that a number can be bound to, a line each.
pub fn values() -> String {
    recorded().iter().map(|(path, value)| format!("{path} = {}\n", value.words())).collect()
}

/// Each number that is bound, with its value of today, in this text and the others.
pub fn bound(document: &Document) -> String {
    bound_in(document) + &OTHERS.iter().map(|name| bound_in(&read(name))).collect::<String>()
}

fn recorded() -> Records {
    Records::read(&Path::new(ROOT).join("benches/results"))
}

fn read(name: &str) -> Document {
    let mut document = Document::read(&Path::new(ROOT).join(name));
    name.clone_into(&mut document.name);
    document
}

fn bound_in(document: &Document) -> String {
    let records = recorded();
    let mut lines = String::new();
    for passage in passages(document, 0..document.blocks.len()).0 {
        for binding in &passage.bindings {
            let value = match binding.values(&records) {
                Ok(values) => values.iter().map(|v| v.words()).collect::<Vec<_>>().join(" and "),
                Err(error) => error,
            };
            let (file, line) = (&document.name, passage.line);
            lines += &format!("{file}:{line}: {}: {value} ({})\n", binding.key, binding.bound_to);
        }
    }
    lines
}

fn check_part(
    document: &Document,
    blocks: Range<usize>,
    counts: &Counts,
) -> Result<(), libtest_mimic::Failed> {
    let (findings, bound) = check(document, blocks, &recorded());
    counts.add("claims bound", bound);
    verdict(document, findings)
}

/// What is wrong, and how many numbers are bound.
fn check(document: &Document, blocks: Range<usize>, records: &Records) -> (Vec<Finding>, usize) {
    let (passages, mut findings) = passages(document, blocks);
    let mut bound = 0;
    for Passage { line, text, bindings } in &passages {
        for binding in bindings {
            match binding.check(text, records) {
                Ok(()) => bound += 1,
                Err(words) => findings.push(Finding::new(*line, words)),
            }
        }
        for claim in scan::claims(text) {
            let is_bound = bindings.iter().any(|binding| {
                binding.places(text).any(|at| {
                    at <= claim.at && claim.at + claim.text.len() <= at + binding.key.len()
                })
            });
            if !is_bound {
                findings.push(Finding::new(*line, format!("`{}` is not bound", claim.text)));
            }
        }
    }
    (findings, bound)
}

/// The prose with its bindings; tables that a program made are left out.
fn passages(document: &Document, blocks: Range<usize>) -> (Vec<Passage>, Vec<Finding>) {
    let mut passages: Vec<Passage> = Vec::new();
    let mut findings = Vec::new();
    let mut made_since = None;
    let mut after_prose = false;
    for block in &document.blocks[blocks] {
        match &block.content {
            Content::Comment(comment) => {
                if let Some(bindings) = binding::parse(comment) {
                    match (bindings, passages.last_mut().filter(|_| after_prose)) {
                        (Ok(bindings), Some(passage)) => passage.bindings.extend(bindings),
                        (Err(words), _) => findings.push(Finding::new(block.line, words)),
                        (_, None) => findings.push(Finding::new(block.line, "no text before it")),
                    }
                } else if MADE.iter().any(|words| comment.contains(words)) {
                    made_since = Some(block.line);
                } else if END_OF_MADE.iter().any(|words| comment.contains(words)) {
                    made_since = None;
                }
            }
            Content::Prose(prose) if made_since.is_none() => {
                let alts = prose.images.iter().map(|image| format!("\n{}", image.alt));
                let text = prose.text(false) + &alts.collect::<String>();
                let text = text.replace(['\u{a0}', '\u{202f}', '\u{2009}'], " ");
                passages.push(Passage { line: block.line, text, bindings: Vec::new() });
                after_prose = true;
            }
            _ => after_prose = false,
        }
    }
    let endless = "what is made by a program has no end: all that follows is left out";
    findings.extend(made_since.map(|line| Finding::new(line, endless)));
    (passages, findings)
}
