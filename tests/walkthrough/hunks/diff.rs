//! What a stage changes: the hunks between it and the one before, each within one item.

use crate::source::{DEPENDENCIES, Item, Source, Tree};
use similar::{Algorithm, DiffTag, capture_diff_slices_by_key};
use std::collections::{BTreeMap, BTreeSet};

/// Lines of one item that are new, replaced or gone. Comments, indentation, and lines that are
/// blank or only close something do not count; of what is replaced, the new lines do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// The stage that has these lines; for those that are gone, the one before.
    pub stage: usize,
    /// Below its `src`, or [`DEPENDENCIES`].
    pub file: String,
    /// The file's name in the stage before, if it was another one.
    pub old_file: Option<String>,
    /// What the item can be called, then what the block around it can be called.
    pub names: Vec<String>,
    /// The names of the items whose lines it replaces.
    pub replaced: Vec<String>,
    pub gone: bool,
    pub lines: Vec<usize>,
    /// The first of them.
    pub code: String,
}

impl Hunk {
    /// The beginning of the bullet that would list it.
    pub fn place(&self) -> String {
        let name = self.names.first().map_or_else(String::new, |name| format!(", `{name}`"));
        format!("`{}`{name}", self.file)
    }

    /// Its lines, and the first of them in full.
    pub fn words(&self) -> String {
        let lines = match &self.lines[..] {
            [line] => format!("line {line}"),
            lines => format!("lines {} to {}", lines[0], lines[lines.len() - 1]),
        };
        let gone = if self.gone { "gone, before " } else { "" };
        format!("{gone}{lines}: `{}`", self.code)
    }
}

/// One file, ready to be compared.
struct Side {
    file: String,
    code: Vec<(usize, String)>,
    source: Option<Source>,
}

/// The hunks between `stage` and the one before.
///
/// # Errors
/// If a file cannot be parsed.
pub fn hunks(tree: &Tree, stage: usize) -> Result<Vec<Hunk>, String> {
    let old = modules(tree, stage - 1)?;
    let new = modules(tree, stage)?;
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let none = Side { file: String::new(), code: Vec::new(), source: None };
    let mut hunks = Vec::new();
    for key in keys {
        let (old, new) = (old.get(key).unwrap_or(&none), new.get(key).unwrap_or(&none));
        compare(stage, old, new, &mut hunks);
    }
    Ok(hunks)
}

/// The files of a stage by their module: `server.rs` and `server/mod.rs` are the same.
fn modules(tree: &Tree, stage: usize) -> Result<BTreeMap<String, Side>, String> {
    let stage = stage.to_string();
    let files = tree.files(&stage).ok_or(format!("there is no stage {stage}"))?;
    let side = |(file, text): (&String, &String)| {
        let module = file.trim_end_matches(".rs").trim_end_matches("/mod").to_owned();
        let file = file.clone();
        if file == DEPENDENCIES {
            let lines = text.lines().enumerate();
            let code = lines.map(|(number, line)| (number + 1, line.to_owned())).collect();
            return Ok((module, Side { file, code, source: None }));
        }
        let source = tree.source(&stage, &file)?;
        Ok((module, Side { file, code: source.code.clone(), source: Some(source) }))
    };
    files.iter().map(side).collect()
}

fn compare(stage: usize, old: &Side, new: &Side, hunks: &mut Vec<Hunk>) {
    let code = |(_, code): &(usize, String)| code.clone();
    let ops = capture_diff_slices_by_key(Algorithm::Patience, &old.code, &new.code, code);
    for op in ops {
        let (side, changed) = match op.tag() {
            DiffTag::Equal => continue,
            DiffTag::Delete => (old, &old.code[op.old_range()]),
            DiffTag::Insert | DiffTag::Replace => (new, &new.code[op.new_range()]),
        };
        let gone = op.tag() == DiffTag::Delete;
        let replaced = by_item(&old.code[op.old_range()], old);
        let replaced: Vec<_> = replaced.into_iter().flat_map(|(names, _)| names).collect();
        for (names, lines) in by_item(changed, side) {
            hunks.push(Hunk {
                stage: if gone { stage - 1 } else { stage },
                file: if new.file.is_empty() { old.file.clone() } else { new.file.clone() },
                old_file: Some(old.file.clone()).filter(|name| *name != new.file),
                names,
                replaced: replaced.clone(),
                gone,
                lines: lines.iter().map(|(line, _)| *line).collect(),
                code: lines[0].1.clone(),
            });
        }
    }
}

/// Closes what was opened elsewhere, where there is another hunk then.
fn closes(code: &str) -> bool {
    code.chars().all(|next| "})],;".contains(next))
}

type Lines<'a> = Vec<&'a (usize, String)>;

/// The changed lines of each item, by its names. Of an implementation that is new as a whole only
/// the members count.
fn by_item<'a>(changed: &'a [(usize, String)], side: &Side) -> Vec<(Vec<String>, Lines<'a>)> {
    let mut groups: Vec<(Vec<String>, Lines)> = Vec::new();
    for line in changed.iter().filter(|(_, code)| !closes(code)) {
        let Some(names) = names(line, changed, side) else { continue };
        match groups.iter_mut().find(|(found, _)| *found == names) {
            Some((_, lines)) => lines.push(line),
            None => groups.push((names, vec![line])),
        }
    }
    groups
}

fn names(line: &(usize, String), changed: &[(usize, String)], side: &Side) -> Option<Vec<String>> {
    let Some(source) = &side.source else {
        // A dependency is what stands before `.workspace` or `=`.
        let name = line.1.split(['.', ' ', '=']).next();
        return Some(name.map(str::to_owned).into_iter().collect());
    };
    let Some(item) = source.item_at(line.0) else { return Some(Vec::new()) };
    let parent = |item: &Item| item.parent.map(|parent| &source.items[parent]);
    let has_members = source
        .items
        .iter()
        .any(|other| parent(other).is_some_and(|parent| parent.first == item.first));
    let within =
        |(line, code): &&(usize, String)| (item.first..=item.last).contains(line) && !closes(code);
    let is_new = changed.iter().filter(within).count() == side.code.iter().filter(within).count();
    if has_members && is_new {
        return None;
    }
    // The shortest name may be another's too; the first one that is its own goes first.
    let mut names = item.names.clone();
    names.sort_by_key(|name| source.find(name).len() > 1);
    names.extend(parent(item).map(|parent| parent.names.clone()).unwrap_or_default());
    Some(names)
}
