//! Brings the excerpts of a text up to date with the code.

use super::pattern::{self, Part};
use super::{Place, excerpts};
use crate::markdown::Document;
use crate::report::Finding;
use crate::source::{Source, Tree, indentation};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::BTreeMap;

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
    let new = refold(&parts, &source.lines(first, place.item.last))?;
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

/// The new lines, with the folds that the old excerpt had.
fn refold(old: &[Part], new: &[&str]) -> Result<Vec<Part>, String> {
    let written = |part: &Part| match part {
        Part::Line(line) => Some(line.clone()),
        _ => None,
    };
    let old_lines: Vec<String> = old.iter().filter_map(written).collect();
    let new_lines: Vec<String> = new.iter().map(|line| (*line).to_owned()).collect();
    let mut moved = BTreeMap::new();
    for op in capture_diff_slices(Algorithm::Patience, &old_lines, &new_lines) {
        if let DiffOp::Equal { old_index, new_index, len } = op {
            moved.extend((0..len).map(|at| (old_index + at, new_index + at)));
        }
    }

    // For each fold its first line in the new source, and the first line after it.
    let mut folds = BTreeMap::new();
    let mut before = 0_usize;
    for part in old {
        if matches!(part, Part::Line(_)) {
            before += 1;
            continue;
        }
        let gone =
            |line: usize| format!("a fold's neighbour is gone: `{}`", old_lines[line].trim());
        let start = match before.checked_sub(1) {
            None => 0,
            Some(line) => moved.get(&line).ok_or_else(|| gone(line))? + 1,
        };
        let end = match old_lines.get(before) {
            None => new.len(),
            Some(_) => *moved.get(&before).ok_or_else(|| gone(before))?,
        };
        folds.insert(start, (end, part.clone()));
    }

    let mut parts = Vec::new();
    let mut line = 0;
    while line < new.len() {
        match folds.remove(&line) {
            Some((end, fold)) if end > line => {
                parts.push(fold);
                line = end;
            }
            _ => {
                parts.push(Part::Line(new[line].to_owned()));
                line += 1;
            }
        }
    }
    Ok(parts)
}
