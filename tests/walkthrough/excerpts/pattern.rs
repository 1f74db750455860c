//! What an excerpt shows of an item: its lines, with folds for those that it leaves out.

use crate::source::indentation;
use std::collections::HashSet;
use std::ops::RangeInclusive;

/// Stands for lines that are left out.
const FOLD: &str = "…";
/// The same within one line: a body that is left out.
const BODY: &str = "{ … }";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Line(String),
    /// One or more lines. The mark is indented by so many blanks.
    Fold(usize),
    /// One or more lines that are deeper than the one before; the closing bracket follows.
    Body,
    /// Any number of lines, and no mark: what is around an excerpt from the middle of an item.
    Around,
}

/// The parts of an excerpt. One that begins with an indented line is from the middle of an item,
/// and the reader sees that: what is before and after it needs no mark.
pub fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for line in text.lines().map(str::trim_end) {
        if line.trim() == FOLD {
            parts.push(Part::Fold(indentation(line)));
        } else if let Some((before, after)) = line.split_once(BODY) {
            let margin = " ".repeat(indentation(line));
            parts.push(Part::Line(format!("{before}{{")));
            parts.push(Part::Body);
            parts.push(Part::Line(format!("{margin}}}{after}")));
        } else {
            parts.push(Part::Line(line.to_owned()));
        }
    }
    if text.starts_with(' ') {
        if matches!(parts.first(), Some(Part::Line(_))) {
            parts.insert(0, Part::Around);
        }
        if matches!(parts.last(), Some(Part::Line(_))) {
            parts.push(Part::Around);
        }
    }
    parts
}

/// The excerpt of these parts.
pub fn render(parts: &[Part]) -> String {
    let mut text = String::new();
    let mut rest = parts;
    loop {
        rest = match rest {
            [Part::Line(opening), Part::Body, Part::Line(closing), rest @ ..] => {
                text += opening.strip_suffix('{').unwrap_or(opening);
                text += BODY;
                text += closing.trim_start().strip_prefix('}').unwrap_or_default();
                rest
            }
            [Part::Line(line), rest @ ..] => {
                text += line;
                rest
            }
            [Part::Fold(margin), rest @ ..] => {
                text += &" ".repeat(*margin);
                text += FOLD;
                rest
            }
            [_, after @ ..] => {
                rest = after;
                continue;
            }
            [] => return text,
        };
        text.push('\n');
    }
}

/// Which of `lines` the parts show, by their numbers from 0, if the parts are these lines with
/// folds; else the number of the first part that stands against it.
pub fn shown(parts: &[Part], lines: &[&str]) -> Result<Vec<usize>, usize> {
    let mut search = Search { parts, lines, failed: HashSet::new(), furthest: 0 };
    let mut shown = Vec::new();
    if search.matches(0, 0, &mut shown) {
        shown.reverse();
        return Ok(shown);
    }
    Err(search.furthest)
}

struct Search<'a> {
    parts: &'a [Part],
    lines: &'a [&'a str],
    /// Pairs of part and line from which there is no way to the end.
    failed: HashSet<(usize, usize)>,
    furthest: usize,
}

impl Search<'_> {
    /// Whether the parts from `part` on are the lines from `line` on; adds those that they show,
    /// the last one first.
    fn matches(&mut self, part: usize, line: usize, shown: &mut Vec<usize>) -> bool {
        if self.failed.contains(&(part, line)) {
            return false;
        }
        let matches = match self.parts.get(part) {
            None => line == self.lines.len(),
            Some(Part::Line(text)) => {
                let same = self.lines.get(line).is_some_and(|found| found == text);
                let matches = same && self.matches(part + 1, line + 1, shown);
                if matches {
                    shown.push(line);
                }
                matches
            }
            Some(fold) => {
                fold_ends(fold, self.lines, line).any(|end| self.matches(part + 1, end, shown))
            }
        };
        if !matches {
            self.failed.insert((part, line));
            self.furthest = self.furthest.max(part);
        }
        matches
    }
}

/// Where a fold that begins at `line` may end: the numbers of the lines that may follow it.
pub fn fold_ends(fold: &Part, lines: &[&str], line: usize) -> RangeInclusive<usize> {
    let deeper = line.checked_sub(1).map_or(0, |before| indentation(lines[before]));
    let within = |at: &usize| {
        let text = lines[*at];
        *fold != Part::Body || text.is_empty() || indentation(text) > deeper
    };
    let end = (line..lines.len()).find(|at| !within(at)).unwrap_or(lines.len());
    let least = if *fold == Part::Around { line } else { line + 1 };
    least..=end
}
