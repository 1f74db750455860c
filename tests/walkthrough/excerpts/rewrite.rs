//! Brings the excerpts of a text up to date with the code.

use super::pattern::{self, Part};
use super::{Place, align, excerpts};
use crate::markdown::Document;
use crate::report::Finding;
use crate::source::{Source, Tree, indentation};

/// The text with its excerpts rewritten, how many were, and those that could not be.
pub fn rewrite(document: &Document, tree: &Tree) -> (String, usize, Vec<Finding>) {
    let mut lines: Vec<String> = document.text.lines().map(str::to_owned).collect();
    let mut rewritten = 0;
    let mut failed = Vec::new();
    // From the last one to the first, so that the lines before keep their numbers.
    for excerpt in excerpts(document).collect::<Vec<_>>().into_iter().rev() {
        let (block, code) = (excerpt.block, excerpt.code);
        let new = excerpt.place(tree).and_then(|place| renewed(&code.text, &place));
        match new {
            Ok(None) => {}
            Ok(Some(text)) => {
                let margin = " ".repeat(indentation(&lines[block.line - 1]));
                let new = text.lines().map(|line| format!("{margin}{line}").trim_end().to_owned());
                let old = block.line..block.line + code.text.lines().count();
                lines.splice(old, new);
                rewritten += 1;
            }
            Err(reason) => failed.push(Finding::new(block.line, reason)),
        }
    }
    (lines.join("\n") + "\n", rewritten, failed)
}

/// What an excerpt has to be now; none if it is that already.
fn renewed(old: &str, place: &Place) -> Result<Option<String>, String> {
    let parts = pattern::parts(old);
    if place.shown(&parts).is_ok() {
        return Ok(None);
    }
    let source = &place.source;
    let first = beginning(source, place, &parts);
    let lines = source.lines(first, place.item.last);
    let new = align::refold(&parts, &lines).ok_or_else(|| lost(&parts, &lines))?;
    match place.shown(&new) {
        Ok(_) => Ok(Some(pattern::render(&new))),
        Err(_) => Err("its folds do not go with the code any more".to_owned()),
    }
}

/// The line of the source to begin with: as much of the comments and attributes as the old excerpt
/// showed.
fn beginning(source: &Source, place: &Place, old: &[Part]) -> usize {
    let (first, body) = (place.item.first, place.item.body);
    let Some(Part::Line(old)) = old.first() else { return first };
    let lines = source.lines(first, place.item.last);
    let same = (first..=body).find(|line| lines[line - first] == old);
    let other = if old.starts_with("//") || old.starts_with("#[") { first } else { body };
    same.unwrap_or(other)
}

/// Why the folds cannot stay.
fn lost(parts: &[Part], new: &[&str]) -> String {
    let neighbours = parts.windows(2).filter_map(|pair| match pair {
        [Part::Line(_), Part::Line(_)] => None,
        [Part::Line(line), _] | [_, Part::Line(line)] => Some(line),
        _ => None,
    });
    match neighbours.into_iter().find(|line| !new.contains(&line.as_str())) {
        Some(line) => format!("a fold's neighbour is gone: `{}`", line.trim()),
        None => "a fold's neighbours are no longer in this order".to_owned(),
    }
}
