//! Splits a Rust file into pieces: the parts that a move can name, in their order.
//!
//! Each line of the file belongs to one piece; the blank lines above a piece are counted beside it.
//! A plain comment belongs to what comes after it.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use syn::spanned::Spanned;
use syn::{ItemImpl, UseTree, Visibility};

/// A part of a file that is there or not as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// What a directive calls it. The documentation of an item is a piece of its own, with ` .docs`
    /// after the item's name; the two lines that enclose an `impl` have its name.
    pub(super) key: String,
    pub(super) kind: Kind,
    pub(super) lines: Vec<String>,
    /// How many blank lines are above it.
    pub(super) blanks: usize,
    /// The identifiers in its code.
    pub(super) names: BTreeSet<String>,
    /// What a private `use` brings into the file: `std::thread`.
    pub(super) imports: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// The documentation of the file.
    FileDocs,
    /// `mod name;`
    Module,
    /// A `use` that others see.
    Reexport,
    /// A private `use`.
    Import,
    /// The documentation of the item after it.
    Docs,
    /// An item, or a member of an `impl`.
    Item,
    /// The first line of an `impl`, and what is above it.
    Open,
    /// The brace that ends an `impl`.
    Close,
}

impl Piece {
    /// The name of the item that a piece is part of.
    pub(super) fn item(&self) -> &str {
        self.key.strip_suffix(".docs").unwrap_or(&self.key)
    }
}

/// What ends in a line.
struct Mark {
    key: String,
    kind: Kind,
    last: usize,
    imports: Vec<String>,
    /// Whether it is the `impl` of a trait, or a member of one.
    is_of_trait: bool,
}

impl Mark {
    fn new(key: impl Into<String>, kind: Kind, syntax: &impl Spanned) -> Mark {
        let last = syntax.span().end().line;
        Mark { key: key.into(), kind, last, imports: Vec::new(), is_of_trait: false }
    }

    /// Takes it for one of an item of another name, or of a member of that.
    fn rename(&mut self, (old, new): (&str, &str)) {
        let (word, name) = match self.key.strip_prefix("impl ") {
            Some(name) => ("impl ", name),
            None => ("", &*self.key),
        };
        let member =
            name.strip_prefix(old).filter(|rest| rest.is_empty() || rest.starts_with("::"));
        if let Some(member) = member.filter(|_| is_body(self.kind) && !self.is_of_trait) {
            self.key = format!("{word}{new}{member}");
        }
    }
}

/// The pieces of a file.
///
/// # Errors
/// If it is no Rust, or has two items in a line.
pub(super) fn split(text: &str) -> Result<Vec<Piece>, String> {
    split_renamed(text, &[])
}

/// The same, with new names in the place of old ones. What implements a trait keeps its name.
pub(super) fn split_renamed(text: &str, renames: &[(&str, &str)]) -> Result<Vec<Piece>, String> {
    let tokens: TokenStream = text.parse().map_err(|error| format!("{error}"))?;
    let file: syn::File = syn::parse2(tokens.clone()).map_err(|error| error.to_string())?;
    let mut marks = Vec::new();
    if let Some(last) = file.attrs.last() {
        marks.push(Mark::new("//!", Kind::FileDocs, last));
    }
    for item in &file.items {
        mark(item, &mut marks);
    }
    for rename in renames {
        marks.iter_mut().for_each(|mark| mark.rename(*rename));
    }
    tell_apart(&mut marks);

    let lines: Vec<&str> = text.lines().collect();
    let mut names = vec![BTreeSet::new(); lines.len()];
    collect_names(tokens, &mut names);
    let mut pieces = Vec::new();
    let mut first = 0;
    for mark in marks {
        let blanks = lines[first..].iter().take_while(|line| line.is_empty()).count();
        let start = first + blanks;
        first = mark.last;
        if start >= first {
            return Err(format!("line {first} has more than one item"));
        }
        let is_item = mark.kind == Kind::Item;
        let docs = lines[start..first].iter().take_while(|line| is_doc(line) && is_item).count();
        let piece = |key, kind, blanks, start: usize, end: usize| Piece {
            key,
            kind,
            lines: lines[start..end].iter().map(|&line| line.to_owned()).collect(),
            blanks,
            names: names[start..end].iter().flatten().cloned().collect(),
            imports: mark.imports.clone(),
        };
        if docs > 0 {
            let key = format!("{}.docs", mark.key);
            pieces.push(piece(key, Kind::Docs, blanks, start, start + docs));
        }
        let blanks = if docs > 0 { 0 } else { blanks };
        pieces.push(piece(mark.key, mark.kind, blanks, start + docs, first));
    }
    match lines.get(first) {
        None => Ok(pieces),
        Some(line) => Err(format!("`{}` belongs to no item", line.trim())),
    }
}

/// The lines of an item with its documentation; of an `impl`, with its members.
///
/// # Errors
/// If the text is no Rust, or has no such item.
pub(crate) fn lines_of(text: &str, item: &str) -> Result<Vec<String>, String> {
    let pieces = split(text)?;
    let is_part = |piece: &Piece| piece.item() == item && is_body(piece.kind);
    let first = pieces.iter().position(is_part).ok_or_else(|| format!("there is no `{item}`"))?;
    let last = pieces.iter().rposition(is_part).unwrap_or(first);
    let mut lines = Vec::new();
    for piece in &pieces[first..=last] {
        lines.extend(vec![String::new(); piece.blanks]);
        lines.extend(piece.lines.iter().cloned());
    }
    Ok(lines.split_off(pieces[first].blanks))
}

fn is_doc(line: &str) -> bool {
    line.trim_start().starts_with("///")
}

/// Whether a piece is one of an item's own: neither a list of modules nor one of names.
pub(super) fn is_body(kind: Kind) -> bool {
    matches!(kind, Kind::Docs | Kind::Item | Kind::Open | Kind::Close)
}

fn mark(item: &syn::Item, marks: &mut Vec<Mark>) {
    match item {
        syn::Item::Mod(module) => {
            let kind = if module.content.is_none() { Kind::Module } else { Kind::Item };
            marks.push(Mark::new(format!("mod {}", module.ident), kind, item));
        }
        syn::Item::Use(import) => {
            // Up to its braces, or to its last name.
            let path = squeezed(&import.tree);
            let prefix = path.split_once("::{").or_else(|| path.rsplit_once("::"));
            let prefix = prefix.map_or("", |(prefix, _)| prefix);
            let is_private = matches!(import.vis, Visibility::Inherited);
            let (kind, word) =
                if is_private { (Kind::Import, "use") } else { (Kind::Reexport, "pub use") };
            let mut mark = Mark::new(format!("{word} {prefix}"), kind, item);
            imports(&import.tree, "", &mut mark.imports);
            marks.push(mark);
        }
        syn::Item::Impl(block) => mark_members(block, marks),
        _ => marks.push(Mark::new(name(item), Kind::Item, item)),
    }
}

/// The name of what is no `use`, `mod` or `impl`: the word after `fn`, `struct`, …
fn name(syntax: &impl Spanned) -> String {
    const KINDS: [&str; 9] =
        ["const", "enum", "fn", "macro_rules", "static", "struct", "trait", "type", "union"];
    let source = syntax.span().source_text().unwrap_or_default();
    let code = source.lines().filter(|line| !line.trim_start().starts_with(['/', '#']));
    let words = code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    let name = words
        .skip_while(|word| !KINDS.contains(word))
        .find(|word| !KINDS.contains(word) && !word.is_empty());
    name.unwrap_or(&source).to_owned()
}

fn mark_members(block: &ItemImpl, marks: &mut Vec<Mark>) {
    let subject = last_name(&squeezed(&block.self_ty));
    let name = match &block.trait_ {
        Some((path, _)) => format!("impl {} for {subject}", last_name(&squeezed(path))),
        None => format!("impl {subject}"),
    };
    let is_of_trait = block.trait_.is_some();
    let mut push = |mark| marks.push(Mark { is_of_trait, ..mark });
    let first = block.brace_token.span.open().start().line;
    push(Mark { last: first, ..Mark::new(name.clone(), Kind::Open, block) });
    for member in &block.items {
        let key = format!("{subject}::{}", self::name(member));
        push(Mark::new(key, Kind::Item, member));
    }
    push(Mark::new(name, Kind::Close, block));
}

/// Gives the second, third, … of the same name a number.
fn tell_apart(marks: &mut [Mark]) {
    let mut seen = BTreeMap::new();
    for mark in marks {
        let count = seen.entry((mark.key.clone(), mark.kind)).or_insert(0);
        *count += 1;
        if *count > 1 {
            mark.key += &format!(" #{count}");
        }
    }
}

fn imports(tree: &UseTree, prefix: &str, found: &mut Vec<String>) {
    let join = |name: &str| match name {
        "self" => prefix.to_owned(),
        name if prefix.is_empty() => name.to_owned(),
        name => format!("{prefix}::{name}"),
    };
    match tree {
        UseTree::Path(step) => imports(&step.tree, &join(&step.ident.to_string()), found),
        UseTree::Name(leaf) => found.push(join(&leaf.ident.to_string())),
        // No stage has one.
        UseTree::Rename(_) | UseTree::Glob(_) => {}
        UseTree::Group(group) => {
            for tree in &group.items {
                imports(tree, prefix, found);
            }
        }
    }
}

/// The last name of a path, without what is in angle brackets.
pub(super) fn last_name(path: &str) -> String {
    let plain = path.split('<').next().unwrap_or_default();
    plain.rsplit("::").next().unwrap_or_default().to_owned()
}

/// The source of a piece of syntax without blanks.
fn squeezed(syntax: &impl Spanned) -> String {
    let source = syntax.span().source_text().unwrap_or_default();
    source.split_whitespace().collect()
}

/// The identifiers in each line.
fn collect_names(tokens: TokenStream, names: &mut [BTreeSet<String>]) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect_names(group.stream(), names),
            TokenTree::Ident(name) => {
                names[name.span().start().line - 1].insert(name.to_string());
            }
            _ => {}
        }
    }
}
