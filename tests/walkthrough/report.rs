//! What the checks find, and what they count.

use crate::markdown::Document;
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Something that is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where in the text's file, from 1.
    pub line: usize,
    /// What is wrong, in words for the one who writes the text.
    pub words: String,
}

impl Finding {
    pub fn new(line: usize, words: impl Into<String>) -> Finding {
        Finding { line, words: words.into() }
    }
}

/// The end of a trial: passed if nothing was found, else all that was, with the text's name.
pub fn verdict(document: &Document, mut findings: Vec<Finding>) -> Result<(), Failed> {
    if findings.is_empty() {
        return Ok(());
    }
    findings.sort();
    let file = &document.name;
    let lines = findings.iter().map(|found| format!("{file}:{}: {}\n", found.line, found.words));
    Err(lines.collect::<String>().into())
}

/// What the checks counted while they ran, by name; printed at the end.
#[derive(Default)]
pub struct Counts(Mutex<BTreeMap<String, usize>>);

impl Counts {
    /// Adds to the count of this name.
    pub fn add(&self, name: &str, number: usize) {
        *self.0.lock().unwrap().entry(name.to_owned()).or_default() += number;
    }

    pub fn print(&self) {
        for (name, number) in self.0.lock().unwrap().iter() {
            println!("{name}: {number}");
        }
    }
}

/// A test of the checks themselves; see [`tests!`](crate::tests).
pub fn test(path: &str, run: fn()) -> Trial {
    let module = path.strip_prefix("walkthrough::").unwrap_or(path);
    Trial::test(module, move || {
        run();
        Ok(())
    })
}

/// The trials of functions that are tests: what `#[test]` does for a test without a harness.
#[macro_export]
macro_rules! tests {
    ($($function:ident),* $(,)?) => {
        vec![$($crate::report::test(
            concat!(module_path!(), "::", stringify!($function)),
            $function,
        )),*]
    };
}
