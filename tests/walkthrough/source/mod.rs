//! A Rust file as the checks see it: its items with their lines, and its code without comments.

mod items;
mod tests;
mod tree;

pub use tests::tests;
pub use tree::{DEPENDENCIES, Tree};

use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeMap;
use std::ops::Range;

/// A parsed file. Lines are counted from 1.
pub struct Source {
    text: String,
    pub items: Vec<Item>,
    /// Each line that has code, without comments and the white space around it.
    pub code: Vec<(usize, String)>,
}

/// Something that has a name in a file: a function, a type, an implementation, its method, …
#[derive(Debug, Clone)]
pub struct Item {
    /// What it can be called, the shortest name first.
    pub names: Vec<String>,
    /// Where it begins, with its comments and attributes.
    pub first: usize,
    /// Where it begins without them.
    pub body: usize,
    pub last: usize,
    /// The implementation or trait that it is a member of.
    pub parent: Option<usize>,
}

impl Source {
    /// # Errors
    /// If it is no Rust.
    pub fn parse(text: &str) -> Result<Source, String> {
        let tokens: TokenStream = text.parse().map_err(|error| format!("{error}"))?;
        let code = code(text, tokens.clone());
        let file: syn::File = syn::parse2(tokens).map_err(|error| error.to_string())?;
        Ok(Source { text: text.to_owned(), items: items::items(&file), code })
    }

    /// The items of this name.
    pub fn find(&self, name: &str) -> Vec<&Item> {
        self.items.iter().filter(|item| item.names.iter().any(|own| own == name)).collect()
    }

    /// The lines from `first` to `last`, without the white space that they all begin with.
    pub fn lines(&self, first: usize, last: usize) -> Vec<&str> {
        let lines: Vec<_> = self.text.lines().skip(first - 1).take(last + 1 - first).collect();
        let written = lines.iter().filter(|line| !line.trim().is_empty());
        let margin = written.map(|line| indentation(line)).min().unwrap_or(0);
        lines.iter().map(|line| line.get(margin..).unwrap_or("").trim_end()).collect()
    }

    /// The innermost item that a line belongs to.
    pub fn item_at(&self, line: usize) -> Option<&Item> {
        let around = self.items.iter().filter(|item| (item.first..=item.last).contains(&line));
        around.max_by_key(|item| item.parent.is_some())
    }
}

/// How many blanks a line begins with.
pub fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The lines that have code: from the first to the last token of each.
fn code(text: &str, tokens: TokenStream) -> Vec<(usize, String)> {
    let mut leaves = Vec::new();
    collect(text, tokens, &mut leaves);
    let mut spans: BTreeMap<usize, Range<usize>> = BTreeMap::new();
    let starts: Vec<_> =
        [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let line = |offset: usize| starts.partition_point(|start| *start <= offset);
    for leaf in leaves {
        let (first, last) = (line(leaf.start), line(leaf.end - 1));
        for number in first..=last {
            // A literal of several lines fills those between.
            let start = if number == first { leaf.start } else { starts[number - 1] };
            let end = if number == last { leaf.end } else { starts[number] };
            let span = spans.entry(number).or_insert(start..end);
            *span = span.start.min(start)..span.end.max(end);
        }
    }
    let code = spans.into_iter().map(|(number, span)| (number, text[span].trim().to_owned()));
    code.filter(|(_, code)| !code.is_empty()).collect()
}

/// Where the tokens stand, those of doc comments excepted.
fn collect(text: &str, tokens: TokenStream, leaves: &mut Vec<Range<usize>>) {
    for token in tokens {
        let range = token.span().byte_range();
        if ["//", "/*"].iter().any(|comment| text[range.start..].starts_with(comment)) {
            continue;
        }
        match token {
            TokenTree::Group(group) => {
                leaves.push(group.span_open().byte_range());
                collect(text, group.stream(), leaves);
                leaves.push(group.span_close().byte_range());
            }
            _ => leaves.push(range),
        }
    }
}
