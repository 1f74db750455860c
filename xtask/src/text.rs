//! A Markdown text by its lines: what generators rewrite in it, and its blocks of code.
//!
//! Output as a text shows it: `[..]` stands for anything within a line, a line `...` or `…` for any
//! number of lines. White space counts as one blank.
//!
//! What is generated stands between `<!-- NAME ARGUMENTS -->` and `<!-- /NAME -->`, each on a line of
//! its own. The lines between them belong to the generator, the arguments to the author.

use crate::tree::Problem;
use std::ops::Range;

/// A mark, and the text up to the one that ends it.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    /// The line of the first mark, from 1.
    pub(crate) line: usize,
    pub(crate) name: &'static str,
    /// What stands in the first mark after the name.
    pub(crate) arguments: &'a str,
    /// Where the lines between the marks are; empty for a mark that stands alone.
    pub(crate) body: Range<usize>,
}

/// A fenced block of code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fence<'a> {
    /// The line of the opening fence, from 1.
    pub(crate) line: usize,
    pub(crate) language: &'a str,
    /// The rest of the info string: words, of which some are `name=value`.
    attributes: Vec<(&'a str, &'a str)>,
    pub(crate) text: &'a str,
    /// Whether it stands between the marks of a generator.
    pub(crate) is_generated: bool,
}

impl<'a> Fence<'a> {
    /// The value of an attribute; empty if it was given without one.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find(|(found, _)| *found == name).map(|(_, value)| *value)
    }
}

/// A line with its number, from 1, and the offset at which it begins.
fn lines(text: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').enumerate().map(move |(at, line)| {
        start += line.len();
        (at + 1, start - line.len(), line.trim_end())
    })
}

/// The lines that are not within a block of code.
pub(crate) fn prose(text: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    let mut is_code = false;
    lines(text).filter(move |(_, _, line)| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// What stands in a comment that begins with `name`.
fn mark<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let inner = line.strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    let rest = inner.strip_prefix(name)?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim())
}

/// The blocks of these names, and the marks of those that stand alone.
pub(crate) fn blocks<'a>(
    file: &str,
    text: &'a str,
    names: &[&'static str],
    alone: &[&'static str],
) -> (Vec<Block<'a>>, Vec<Problem>) {
    let (mut blocks, mut problems) = (Vec::new(), Vec::new());
    let endless = |block: Block| {
        Problem::new(file, block.line, format!("no `<!-- /{} -->` ends this", block.name))
    };
    let mut open: Option<Block> = None;
    for (line, start, content) in prose(text) {
        let after = (start + content.len() + 1).min(text.len());
        let begun = names.iter().chain(alone).find_map(|name| Some((*name, mark(content, name)?)));
        let ended = names.iter().find(|name| mark(content, &format!("/{name}")).is_some());
        if let Some((name, arguments)) = begun {
            problems.extend(open.take().map(endless));
            let block = Block { line, name, arguments, body: after..after };
            if alone.contains(&name) { blocks.push(block) } else { open = Some(block) }
        } else if let Some(name) = ended {
            match open.take().filter(|open| open.name == *name) {
                Some(block) => blocks.push(Block { body: block.body.start..start, ..block }),
                None => {
                    let message = format!("no `<!-- {name} … -->` before it");
                    problems.push(Problem::new(file, line, message));
                }
            }
        }
    }
    problems.extend(open.map(endless));
    (blocks, problems)
}

/// The text with each block of this name as `generate` wants it, which gets the block's arguments. A
/// block with a problem stays as it is.
pub(crate) fn rewrite(
    file: &str,
    text: &str,
    name: &'static str,
    generate: impl Fn(&str) -> Result<String, String>,
) -> (String, Vec<Problem>) {
    let (blocks, mut problems) = blocks(file, text, &[name], &[]);
    let (mut new, mut copied) = (String::new(), 0);
    for block in blocks {
        match generate(block.arguments) {
            Ok(generated) => {
                new += &text[copied..block.body.start];
                new += &generated;
                copied = block.body.end;
            }
            Err(message) => problems.push(Problem::new(file, block.line, message)),
        }
    }
    (new + &text[copied..], problems)
}

/// The blocks of code.
pub(crate) fn fences(text: &str) -> Vec<Fence<'_>> {
    let mut fences = Vec::new();
    let (mut open, mut is_generated) = (None, false);
    for (line, start, content) in lines(text) {
        if let Some(info) = content.strip_prefix("```") {
            match open.take() {
                None => open = Some((line, start + content.len() + 1, info)),
                Some((line, body, info)) => {
                    let mut words = words(info).into_iter();
                    let language = words.next().unwrap_or_default();
                    let attributes = words.map(|word| word.split_once('=').unwrap_or((word, "")));
                    let attributes = attributes.collect();
                    let text = &text[body..start];
                    fences.push(Fence { line, language, attributes, text, is_generated });
                }
            }
        } else if open.is_none() && content.starts_with("<!-- /") {
            is_generated = false;
        } else if open.is_none() && GENERATED.iter().any(|name| mark(content, name).is_some()) {
            is_generated = true;
        }
    }
    fences
}

/// The marks between which code is generated, or else checked with what is.
const GENERATED: [&str; 3] = ["excerpt", "move", "try"];

/// The words of a text. What stands in double quotes is one, without the quotes.
pub(crate) fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            Some(quoted) => quoted,
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}

/// Whether these lines, and no others, are as the patterns say.
pub(crate) fn lines_match(patterns: &[&str], lines: &[&str]) -> bool {
    match (patterns, lines) {
        ([], lines) => lines.is_empty(),
        (["..." | "…", patterns @ ..], lines) => {
            (0..=lines.len()).any(|skipped| lines_match(patterns, &lines[skipped..]))
        }
        ([pattern, patterns @ ..], [line, lines @ ..]) => {
            line_matches(pattern, line) && lines_match(patterns, lines)
        }
        (_, []) => false,
    }
}

/// Whether a line is as a pattern says.
pub(crate) fn line_matches(pattern: &str, line: &str) -> bool {
    let (pattern, line) = (blanks(pattern), blanks(line));
    let parts: Vec<&str> = pattern.split("[..]").collect();
    let [first, middle @ .., last] = &parts[..] else { return pattern == line };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether the lines that a text shows are in an output, in their order and with any others between them.
///
/// # Errors
/// Says which isn't.
pub(crate) fn in_order(shown: &str, output: &str) -> Result<(), String> {
    let mut rest = output.lines();
    for line in shown.lines().filter(|line| !["", "...", "…"].contains(&line.trim())) {
        if !rest.any(|said| line_matches(line, said)) {
            return Err(format!("no `{line}` in its place in\n{output}"));
        }
    }
    Ok(())
}

/// With one blank for each white space in the line, and none around it.
fn blanks(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_without_their_other_are_noticed() {
        for (text, line, message) in [
            ("\n<!-- list -->\n", 2, "no `<!-- /list -->` ends this"),
            ("<!-- list -->\n<!-- list -->\n<!-- /list -->", 1, "no `<!-- /list -->` ends this"),
            ("<!-- /list -->", 1, "no `<!-- list … -->` before it"),
            ("<!-- lis -->\n<!-- /list -->", 2, "no `<!-- list … -->` before it"),
        ] {
            let (_, problems) = blocks("t.md", text, &["list", "lis"], &[]);
            assert_eq!(problems, [Problem::new("t.md", line, message)]);
        }
    }

    #[test]
    fn another_line_does_not_match() {
        for (pattern, line) in [("a", "ab"), ("a", "ba"), ("[..] b", "a bc"), ("aa[..]aa", "aaa")] {
            assert!(!line_matches(pattern, line), "{pattern} and {line}");
        }
    }

    #[test]
    fn dots_stand_for_any_number_of_lines() {
        assert!(lines_match(&["a", "...", "d"], &["a", "b", "c", "d"]));
        assert!(lines_match(&["a", "..."], &["a"]));
        assert!(!lines_match(&["a", "..."], &["b"]));
        assert!(!lines_match(&["a"], &["a", "b"]));
    }
}
