//! Finds the directives of a text, and says which items each move names.

use super::state::{Done, FileChange};
use crate::problem::Problem;
use crate::text::{lines_of_prose, mark};
use std::collections::BTreeMap;
use std::ops::Range;

/// The file whose items are the dependencies.
pub(super) const DEPENDENCIES: &str = "Cargo.toml";

/// What stands under a heading such as `## 4. A fixed number of threads`.
#[derive(Debug)]
pub(super) struct Chapter {
    /// Which stage it ends with.
    pub(super) stage: usize,
    /// The line of its heading.
    pub(super) line: usize,
    /// Where it is in the text.
    pub(super) body: Range<usize>,
    pub(super) directives: Vec<Directive>,
}

#[derive(Debug)]
pub(super) struct Directive {
    pub(super) line: usize,
    pub(super) what: What,
    /// Where the lines between its two marks are in the text.
    pub(super) body: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Move {
        file: String,
        names: Vec<String>,
    },
    /// A detour: what it ends with, such as `fails=E0277`.
    Try {
        file: String,
        result: String,
    },
    /// The program compiles here.
    Compiles,
    /// Here the program is as in this sub-stage.
    Step(String),
}

/// The numbered chapters of a text.
pub(super) fn chapters(file: &str, text: &str) -> Result<Vec<Chapter>, Vec<Problem>> {
    let (mut chapters, mut problems): (Vec<Chapter>, _) = (Vec::new(), Vec::new());
    let mut is_open = false;
    for (line, start, content) in lines_of_prose(text) {
        let body = (start + content.len() + 1).min(text.len());
        if let Some(title) = content.strip_prefix("## ") {
            let number = title.split_once('.').and_then(|(number, _)| number.parse().ok());
            let (stage, body) = (number.unwrap_or_default(), start..text.len());
            if let Some(last) = chapters.last_mut() {
                last.body.end = start;
            }
            chapters.push(Chapter { stage, line, body, directives: Vec::new() });
        }
        let mut problem = |message: &str| problems.push(Problem::new(file, line, message));
        let Some(chapter) = chapters.last_mut() else { continue };
        let ends = ["/move", "/try"].into_iter().find(|end| mark(content, end).is_some());
        if let Some(end) = ends {
            match chapter
                .directives
                .last_mut()
                .filter(|last| is_open && last.what.end() == Some(end))
            {
                Some(last) => last.body.end = start,
                None => problem("there is nothing that this ends"),
            }
            is_open = false;
            continue;
        }
        match directive(content) {
            Some(Ok(_)) if is_open => problem("the directive before this has no end"),
            Some(Ok(what)) => {
                is_open = what.end().is_some();
                chapter.directives.push(Directive { line, what, body: body..body });
            }
            Some(Err(message)) => problem(message),
            None => {}
        }
    }
    if is_open && let Some(last) = chapters.iter().flat_map(|chapter| &chapter.directives).last() {
        problems.push(Problem::new(file, last.line, "this has no end"));
    }
    chapters.retain(|chapter| chapter.stage > 0);
    if problems.is_empty() { Ok(chapters) } else { Err(problems) }
}

impl Directive {
    pub(super) fn is_move(&self) -> bool {
        matches!(self.what, What::Move { .. })
    }
}

impl What {
    /// The mark that ends what belongs to a directive.
    fn end(&self) -> Option<&'static str> {
        match self {
            What::Move { .. } => Some("/move"),
            What::Try { .. } => Some("/try"),
            What::Compiles | What::Step(_) => None,
        }
    }
}

fn directive(line: &str) -> Option<Result<What, &'static str>> {
    if let Some(arguments) = mark(line, "move") {
        let Some((file, names)) = arguments.split_once(':') else {
            return Some(Err("a move is `FILE: ITEM, ITEM, …`"));
        };
        let names = names.split(", ").map(|name| name.trim().to_owned()).collect();
        return Some(Ok(What::Move { file: file.to_owned(), names }));
    }
    if let Some(arguments) = mark(line, "try") {
        let (file, result) = arguments.split_once(' ')?;
        return Some(Ok(What::Try { file: file.to_owned(), result: result.trim().to_owned() }));
    }
    if let Some(name) = mark(line, "step") {
        return Some(Ok(What::Step(name.to_owned())));
    }
    mark(line, "compiles").map(|_| Ok(What::Compiles))
}

/// What each move of a leg does: the keys that its names stand for, by its place in `moves`.
///
/// # Errors
/// If an item that changes is in no move, or in two, or if a name is none of an item that changes.
pub(super) fn resolve(
    text: &str,
    line: usize,
    moves: &[(usize, &str, &[String])],
    changes: &BTreeMap<String, Changed>,
) -> Result<Vec<Done>, Vec<Problem>> {
    let mut problems = Vec::new();
    let named = |file: &str, key: &str| {
        moves.iter().any(|(_, other, names)| *other == file && names.iter().any(|name| name == key))
    };
    let mut resolved: Vec<Done> = Vec::new();
    let mut taken: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for (line, file, names) in moves {
        let mut keys = Done::new();
        let changed = changes.get(*file).map(|changed| changed.keys.as_slice()).unwrap_or_default();
        for name in *names {
            let stands_for = |(key, parent): &&(String, Option<String>)| {
                let rest = name == "*" || parent.as_ref() == Some(name);
                let docs = item(key) == Some(name);
                key == name || docs && !named(file, key) || rest && !is_named(key, file, &named)
            };
            let found: Vec<&String> =
                changed.iter().filter(stands_for).map(|(key, _)| key).collect();
            if found.is_empty() && !name.starts_with("use") {
                let message = format!("`{name}` of `{file}` does not change in this chapter");
                problems.push(Problem::new(text, *line, message));
            }
            if name.starts_with("use") {
                keys.insert(name.clone());
            }
            for key in &found {
                let is_noticed = item(key).is_some_and(|item| found.iter().any(|key| *key == item));
                if let Some(other) =
                    taken.insert((file, (*key).clone()), *line).filter(|_| !is_noticed)
                {
                    let message = format!("in two moves: `{key}` of `{file}` (line {other})");
                    problems.push(Problem::new(text, *line, message));
                }
                keys.insert((*key).clone());
            }
        }
        resolved.push(keys);
    }
    for (file, changed) in changes {
        for key in changed.without(|key| taken.contains_key(&(file, key.to_owned()))) {
            let message = format!("changed, but in no move: `{key}` of `{file}`");
            problems.push(Problem::new(text, line, message));
        }
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}

/// The item that a key is the documentation of.
fn item(key: &str) -> Option<&str> {
    key.strip_suffix(".docs")
}

/// Whether another name than `*`, or that of an `impl`, stands for an item.
fn is_named(key: &str, file: &str, named: &impl Fn(&str, &str) -> bool) -> bool {
    named(file, key) || item(key).is_some_and(|item| named(file, item))
}

/// The items of a file that change, each with the `impl` that it is a member of.
pub(super) struct Changed {
    pub(super) keys: Vec<(String, Option<String>)>,
}

impl Changed {
    pub(super) fn of(change: &FileChange) -> Changed {
        let parent = |key: &String| change.parent(key).map(str::to_owned);
        Changed { keys: change.changed().map(|key| (key.clone(), parent(&key))).collect() }
    }

    /// Those that are not taken. The documentation of an item comes with it, if that isn't either.
    pub(super) fn without(&self, is_taken: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
        let rest: Vec<&str> =
            self.keys.iter().map(|(key, _)| key.as_str()).filter(|key| !is_taken(key)).collect();
        let all = rest.clone();
        rest.into_iter().filter(move |key| item(key).is_none_or(|item| !all.contains(&item)))
    }
}
