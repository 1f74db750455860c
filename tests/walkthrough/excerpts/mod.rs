//! Code blocks that quote the sources: what they show must be there, word for word.

mod align;
mod pattern;
mod rewrite;
mod tests;

pub use rewrite::rewrite;
pub use tests::tests;

use crate::markdown::{Block, Code, Document};
use crate::report::{Counts, Finding, verdict};
use crate::source::{Item, Source, Tree};
use libtest_mimic::Trial;
use pattern::Part;
use std::sync::Arc;

/// Nobody reads a screen of code.
const MAX_LINES: usize = 30;
const MAX_MEDIAN: usize = 12;
/// What a block of Rust may be instead of an excerpt: a program that is compiled.
const PROGRAMS: [&str; 4] = ["fails", "hangs", "panics", "runs"];
/// Sessions, the words of compilers and programs, diagrams.
const OTHER_LANGUAGES: [&str; 3] = ["console", "text", "mermaid"];

/// A block of Rust that says where it is from.
pub struct Excerpt<'a> {
    pub block: &'a Block,
    pub code: &'a Code,
    pub stage: &'a str,
    /// Below the crate's `src`.
    pub file: &'a str,
    /// As in [`Item::names`].
    pub item: &'a str,
}

/// The excerpts of a text, in order.
pub fn excerpts(document: &Document) -> impl Iterator<Item = Excerpt<'_>> {
    document.codes().filter(|(_, code)| code.language == "rust").filter_map(|(block, code)| {
        let (stage, file, item) = (code.get("stage")?, code.get("file")?, code.get("item")?);
        Some(Excerpt { block, code, stage, file, item })
    })
}

impl Excerpt<'_> {
    /// Finds the one item that it is from.
    pub fn place(&self, tree: &Tree) -> Result<Place, String> {
        let (file, item) = (self.file, self.item);
        let source = tree.source(self.stage, file)?;
        let found: Vec<Item> = source.find(item).into_iter().cloned().collect();
        match &found[..] {
            [item] => Ok(Place { item: item.clone(), source }),
            [] => Err(format!("`{file}` of stage {} has no `{item}`", self.stage)),
            all => {
                let longest = |item: &Item| item.names.last().cloned().unwrap_or_default();
                let names: Vec<_> = all.iter().map(longest).collect();
                let names = names.join("`, `");
                Err(format!("`{file}` has `{item}` {} times: `{names}`", all.len()))
            }
        }
    }

    /// The lines of the file that it shows.
    pub fn shown(&self, tree: &Tree) -> Result<Vec<usize>, String> {
        self.place(tree)?.shown(&pattern::parts(&self.code.text))
    }
}

/// Where an excerpt is from.
pub struct Place {
    source: Source,
    item: Item,
}

impl Place {
    /// The lines of the file that these parts show. An excerpt may begin after all or some of the
    /// item's comments and attributes.
    fn shown(&self, parts: &[Part]) -> Result<Vec<usize>, String> {
        let mut furthest = 0;
        for first in self.item.first..=self.item.body {
            let lines = self.source.lines(first, self.item.last);
            match pattern::shown(parts, &lines) {
                Ok(shown) => return Ok(shown.iter().map(|line| first + line).collect()),
                Err(part) => furthest = furthest.max(part),
            }
        }
        Err(match parts.get(furthest) {
            None => "the item goes on after the last line shown".to_owned(),
            Some(Part::Line(line)) => {
                format!("`{}` is not in the item, or not here", line.trim())
            }
            Some(_) => format!("the fold in line {} folds nothing", furthest + 1),
        })
    }
}

/// What is wrong with one excerpt.
pub fn check(excerpt: &Excerpt, tree: &Tree) -> Option<Finding> {
    let wrong = excerpt.shown(tree).err()?;
    Some(Finding::new(excerpt.block.line, wrong))
}

/// Blocks of code that nobody checks: nobody would notice if they were wrong.
fn unchecked(document: &Document) -> Vec<Finding> {
    let wrong = |code: &Code| {
        let program = PROGRAMS.into_iter().find(|name| code.has(name));
        let parts = ["stage", "file", "item"].map(|name| code.has(name));
        match (code.language.as_str(), program, parts) {
            ("rust", None, [true, true, true]) | ("rust", Some(_), [_, false, false]) => None,
            ("rust", None, _) => Some("a block of Rust needs stage, file and item".to_owned()),
            ("rust", Some(name), _) => Some(format!("`{name}` does not go with file and item")),
            (other, ..) if OTHER_LANGUAGES.contains(&other) => None,
            (other, ..) => Some(format!("a block in the language `{other}`")),
        }
    };
    let codes = document.codes();
    codes.filter_map(|(block, code)| Some(Finding::new(block.line, wrong(code)?))).collect()
}

/// The lengths of the excerpts, in order.
fn lengths(document: &Document) -> Vec<usize> {
    let mut lengths: Vec<_> = excerpts(document).map(|e| e.code.text.lines().count()).collect();
    lengths.sort_unstable();
    lengths
}

fn median(lengths: &[usize]) -> usize {
    lengths.get(lengths.len() / 2).copied().unwrap_or(0)
}

fn too_long(document: &Document) -> Vec<Finding> {
    let rust = document.codes().filter(|(_, code)| code.language == "rust");
    let lengths = rust.map(|(block, code)| (block.line, code.text.lines().count()));
    let long = lengths.filter(|(_, length)| *length > MAX_LINES);
    long.map(|(line, length)| Finding::new(line, format!("a block of {length} lines"))).collect()
}

/// A trial for each excerpt, and those for all of them.
pub fn trials(document: &Arc<Document>, tree: &Arc<Tree>, counts: &Arc<Counts>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (number, excerpt) in excerpts(document).enumerate() {
        let (stage, item, line) = (excerpt.stage, excerpt.item, excerpt.block.line);
        let name = format!("excerpts::line_{line}::stage_{stage}::{item}");
        let (document, tree) = (Arc::clone(document), Arc::clone(tree));
        trials.push(Trial::test(name, move || {
            let wrong = excerpts(&document).nth(number).and_then(|excerpt| check(&excerpt, &tree));
            verdict(&document, wrong.into_iter().collect())
        }));
    }
    let all = Arc::clone(document);
    trials.push(Trial::test("excerpts::every_block_is_checked", move || {
        verdict(&all, unchecked(&all))
    }));
    let (all, counts) = (Arc::clone(document), Arc::clone(counts));
    trials.push(Trial::test("excerpts::none_is_a_screen_of_code", move || {
        let mut found = too_long(&all);
        let lengths = lengths(&all);
        counts.add("excerpts", lengths.len());
        counts.add("excerpts: lines, median", median(&lengths));
        counts.add("excerpts: lines, most", lengths.last().copied().unwrap_or(0));
        if median(&lengths) > MAX_MEDIAN {
            found.push(Finding::new(
                1,
                format!("half of the excerpts are longer than {MAX_MEDIAN}"),
            ));
        }
        verdict(&all, found)
    }));
    trials
}
