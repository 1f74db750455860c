//! Nothing that a stage changes goes unsaid: each hunk is shown in an excerpt of its chapter, or
//! listed there under *Also changed*.

mod diff;
mod tests;

pub use tests::tests;

use crate::excerpts::excerpts;
use crate::markdown::{Block, Content, Document, Kind, Prose};
use crate::report::{Counts, Finding, verdict};
use crate::source::Tree;
use diff::{Hunk, hunks};
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The heading of the bullets.
const HEADING: &str = "Also changed";
/// The stages that have one before them.
const STAGES: RangeInclusive<usize> = 2..=7;

/// A list item of the form "`file`, `item`, `item`: why".
struct Bullet {
    line: usize,
    file: String,
    /// None stands for the whole file.
    items: Vec<String>,
}

/// What became of the hunks of a stage.
#[derive(Default)]
struct Outcome {
    shown: usize,
    listed: usize,
    uncovered: Vec<Hunk>,
    findings: Vec<Finding>,
}

/// Compares a chapter with what its stage changes.
fn check(document: &Document, tree: &Tree, stage: usize) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(chapter) = document.chapters.iter().find(|chapter| chapter.number == Some(stage))
    else {
        outcome.findings.push(Finding::new(1, format!("there is no chapter {stage}")));
        return outcome;
    };
    let blocks = &document.blocks[chapter.blocks.clone()];
    let hunks = match hunks(tree, stage) {
        Ok(hunks) => hunks,
        Err(error) => {
            outcome.findings.push(Finding::new(blocks[0].line, error));
            return outcome;
        }
    };

    let bullets = bullets(blocks, &mut outcome.findings);
    let shown = shown(document, tree, blocks[0].chapter);
    for hunk in &hunks {
        let here = |line: &usize| shown.contains(&(hunk.stage, hunk_file(hunk), *line));
        if hunk.lines.iter().any(here) {
            outcome.shown += 1;
        } else if bullets.iter().any(|bullet| bullet.lists(hunk)) {
            outcome.listed += 1;
        } else {
            let words = format!("{}, {} is neither shown nor listed", hunk.place(), hunk.words());
            outcome.findings.push(Finding::new(blocks[0].line, words));
            outcome.uncovered.push(hunk.clone());
        }
    }
    for bullet in &bullets {
        outcome.findings.extend(bullet.needless(&hunks));
    }
    outcome
}

/// The file that has the hunk's lines.
fn hunk_file(hunk: &Hunk) -> &str {
    match &hunk.old_file {
        Some(old) if hunk.gone => old,
        _ => &hunk.file,
    }
}

/// The lines that the excerpts of a chapter show, by stage and file.
fn shown<'a>(
    document: &'a Document,
    tree: &Tree,
    chapter: usize,
) -> BTreeSet<(usize, &'a str, usize)> {
    let here = excerpts(document).filter(|excerpt| excerpt.block.chapter == chapter);
    here.filter_map(|excerpt| {
        let stage = excerpt.stage.parse().ok()?;
        let lines = excerpt.shown(tree).ok()?;
        Some(lines.into_iter().map(move |line| (stage, excerpt.file, line)))
    })
    .flatten()
    .collect()
}

fn bullets(blocks: &[Block], findings: &mut Vec<Finding>) -> Vec<Bullet> {
    let mut bullets = Vec::new();
    for block in blocks.iter().filter(|block| block.heading == HEADING) {
        if let Content::Prose(prose) = &block.content
            && prose.kind == Kind::Item
        {
            match Bullet::parse(block.line, prose) {
                Some(bullet) => bullets.push(bullet),
                None => {
                    let words = "a bullet has to be \"`file`, `item`, `item`: why\"";
                    findings.push(Finding::new(block.line, words));
                }
            }
        }
    }
    bullets
}

impl Bullet {
    fn parse(line: usize, prose: &Prose) -> Option<Bullet> {
        let mut pieces = prose.pieces.iter();
        let mut names = Vec::new();
        loop {
            let name = pieces.next().filter(|piece| piece.is_code)?;
            names.push(name.text.clone());
            let mut after = pieces.next()?.text.as_str();
            if after.trim() == "," {
                // The next name may stand on the next line.
                if pieces.as_slice().first().is_some_and(|piece| piece.text == " ") {
                    pieces.next();
                }
                continue;
            }
            after = after.strip_prefix(':')?;
            let has_reason = !after.trim().is_empty() || pieces.len() > 1;
            return has_reason.then(|| Bullet { line, file: names.remove(0), items: names });
        }
    }

    fn lists(&self, hunk: &Hunk) -> bool {
        let file = hunk.file == self.file || hunk.old_file.as_ref() == Some(&self.file);
        let item = self.items.iter().any(|item| hunk.names.contains(item));
        file && (self.items.is_empty() || item)
    }

    /// The names in it that stand for no hunk, nor for what one has replaced.
    fn needless(&self, hunks: &[Hunk]) -> Vec<Finding> {
        let whole = Bullet { line: self.line, file: self.file.clone(), items: Vec::new() };
        let here: Vec<_> = hunks.iter().filter(|hunk| whole.lists(hunk)).collect();
        if here.is_empty() {
            let words = format!("`{}` has not changed", self.file);
            return vec![Finding::new(self.line, words)];
        }
        let changed = |item: &&String| {
            here.iter().any(|hunk| hunk.names.contains(item) || hunk.replaced.contains(item))
        };
        let needless = self.items.iter().filter(|item| !changed(item));
        let words = needless.map(|item| format!("`{item}` has not changed in `{}`", self.file));
        words.map(|words| Finding::new(self.line, words)).collect()
    }
}

/// All hunks that are neither shown nor listed, as bullets for those who write the text.
pub fn uncovered(document: &Document, tree: &Tree) -> String {
    let mut text = String::new();
    for stage in STAGES {
        let uncovered = check(document, tree, stage).uncovered;
        let _ = writeln!(text, "## {stage}: {} hunks\n", uncovered.len());
        let mut last = String::new();
        for hunk in uncovered {
            if hunk.place() == last {
                let _ = writeln!(text, "  and {}", hunk.words());
            } else {
                let _ = writeln!(text, "- {}: {}", hunk.place(), hunk.words());
            }
            last = hunk.place();
        }
        text.push('\n');
    }
    text
}

/// A trial for each stage.
pub fn trials(document: &Arc<Document>, tree: &Arc<Tree>, counts: &Arc<Counts>) -> Vec<Trial> {
    let trial = |stage| {
        let (document, tree, counts) = (Arc::clone(document), Arc::clone(tree), Arc::clone(counts));
        let name = format!("hunks::stage_{stage}_changes_nothing_unsaid");
        Trial::test(name, move || {
            let outcome = check(&document, &tree, stage);
            counts.add("hunks: shown", outcome.shown);
            counts.add("hunks: listed", outcome.listed);
            verdict(&document, outcome.findings)
        })
    };
    STAGES.map(trial).collect()
}
