//! Moves: the text shows every line that a step adds, and nobody keeps these lines twice.
//!
//! The stages are edited; what a reader of chapter N types to get from stage N − 1 to stage N is
//! derived from them. The chapter is prose with *directives*, each on a line of its own:
//!
//! ```text
//! <!-- move src/thread_pool/shared_queue.rs: SharedQueueThreadPool, SharedQueueThreadPool::new -->
//! <!-- /move -->
//! ```
//!
//! brings these items of the file to how they are in stage N. Between the two marks `cargo xtask sync`
//! writes captions, each with a link to the file and the place in it, and the code. Each item of stage
//! N that changes is in exactly one move, and then the reader has stage N, byte for byte.
//! `cargo xtask sync --draft N` prints a directive for each of them, to begin with.
//!
//! # What a move can name
//!
//! - `work`, `Job`, `KvsEngine`: a function, a type, a trait, a constant.
//! - `KvStore::open`: a member of an `impl`, whichever `impl` of the type it is in. The first and the
//!   last line of the `impl` come with its first member and go with its last.
//! - `impl KvStore`, `impl Drop for KvStore`: what no other move names of the members of this `impl`;
//!   and its first line, if that changes and no member does. Generics are left out in all names.
//! - `SharedQueueThreadPool.docs`: the documentation alone. If no move names it, it comes with the item.
//! - `mod shared_queue`, `pub use shared_queue` (the path without what is taken from it), `//!` for the
//!   documentation of the file.
//! - `*`: what no other move names in this file.
//! - Imports need no name: they come with the code that says them (see `imports.rs`). `use std::thread`
//!   brings one earlier, `use` all of a file. If nothing but imports changes in a file, `use` is its item.
//! - A second item of the same name is `name #2`.
//! - In `Cargo.toml`, the dependencies. They are shown as `cargo add`.
//!
//! # Other directives
//!
//! - `<!-- compiles -->`: here the program compiles, as it does at the end of the chapter. Of all other
//!   states `cargo xtask replay` says whether they do, without asking for it.
//! - `<!-- try src/kv_store/mod.rs fails=E0277 -->`, up to `<!-- /try -->`: a detour. Between the marks
//!   somebody has written a `diff` fence, which must apply to the file as it is here; it is compiled or
//!   run and then taken back. It ends as the directive says: `fails=` with an error, or `runs`,
//!   `panics` or `hangs`; for the latter three a `rust` fence after the `diff` has a program that uses
//!   the library `kvs`. A `text` fence may show what the compiler or the program says.
//! - `<!-- step NAME -->`: here the program is as in `stages/N-…/steps/NAME`, a sub-stage for a chapter
//!   that passes the same lines twice. It has only the files that differ from stage N, and an empty one
//!   for a file that is not there yet. What comes after leads from the sub-stage to stage N.
//!
//! # How it works
//!
//! | file | what it does |
//! |---|---|
//! | `items.rs` | splits a file into the pieces that a move can name |
//! | `state.rs`, `imports.rs` | what a file is like when some of its items are done |
//! | `directives.rs` | finds the directives, and the items that they stand for |
//! | `render.rs` | writes the difference of two states as captions and fences |
//! | `replay.rs` | types what they say, and knows nothing of the files above |
//! | `compile.rs` | compiles each state, and runs the detours |
//! | `package.rs` | reads a stage |

mod compile;
mod directives;
mod imports;
pub(crate) mod items;
mod package;
mod render;
mod replay;
mod state;
#[cfg(test)]
mod tests;

use crate::problem::Problem;
use crate::tree::Tree;
use directives::{Changed, Chapter, DEPENDENCIES, Directive, What, chapters, resolve};
use package::Package;
use state::{Done, FileChange};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

/// The way from one stage or sub-stage to the next.
struct Leg<'a> {
    /// The directories that links go to, and what is in them.
    dirs: [String; 2],
    old: Package,
    new: Package,
    /// The line of the heading.
    line: usize,
    directives: &'a [Directive],
}

/// Writes the moves of a text, and types them: at the end there must be what the stage has.
pub(crate) fn sync(tree: &mut Tree, file: &str) -> Vec<Problem> {
    let text = match tree.read(file) {
        Ok(text) => text,
        Err(problem) => return vec![problem],
    };
    let new = match generate(tree.root(), file, &text) {
        Ok(new) => new,
        Err(problems) => return problems,
    };
    tree.write(file, new.clone());
    let mut problems = states(tree.root(), file, &new).err().unwrap_or_default();
    problems.extend(unnamed(tree.root(), file, &new));
    problems
}

/// Compiles the states of a text as it is, and runs its detours.
pub(crate) fn replay(root: &Path, file: &str, text: &str) -> Vec<Problem> {
    match states(root, file, text) {
        Ok(states) => compile::check(root, file, &states),
        Err(problems) => problems,
    }
}

/// A directive for each item that changes in a chapter.
pub(crate) fn draft(root: &Path, stage: usize) -> Result<String, String> {
    let chapter = Chapter { stage, line: 0, body: 0..0, directives: Vec::new() };
    let mut draft = String::new();
    let mut push = |file: &str, key: &str| {
        draft += &format!("<!-- move {file}: {key} -->\n<!-- /move -->\n\n");
    };
    for leg in legs(root, &chapter)? {
        for (file, changed) in changed(&leg.changes()?, &leg) {
            changed.without(|_| false).for_each(|key| push(&file, key));
        }
    }
    Ok(draft)
}

/// The text with all its moves written.
fn generate(root: &Path, file: &str, text: &str) -> Result<String, Vec<Problem>> {
    let (mut new, mut copied, mut problems) = (String::new(), 0, Vec::new());
    for chapter in &with_moves(file, text)? {
        let at_heading = |error: String| vec![Problem::new(file, chapter.line, error)];
        for leg in legs(root, chapter).map_err(at_heading)? {
            match leg.written(file) {
                Ok(written) => {
                    for (body, generated) in written {
                        new += &text[copied..body.start];
                        new += &generated;
                        copied = body.end;
                    }
                }
                Err(found) => problems.extend(found),
            }
        }
    }
    if problems.is_empty() { Ok(new + &text[copied..]) } else { Err(problems) }
}

fn with_moves(file: &str, text: &str) -> Result<Vec<Chapter>, Vec<Problem>> {
    let mut chapters = chapters(file, text)?;
    chapters.retain(|chapter| chapter.directives.iter().any(Directive::is_move));
    Ok(chapters)
}

/// The files that change in a chapter without moves, and that it says nothing of.
fn unnamed(root: &Path, file: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for chapter in chapters(file, text).unwrap_or_default() {
        let body = &text[chapter.body.clone()];
        let has_moves = chapter.directives.iter().any(Directive::is_move);
        // Some chapters have no stage, or none before theirs.
        let legs = legs(root, &chapter).unwrap_or_default();
        for leg in legs.iter().filter(|_| !has_moves) {
            let unnamed = |file: &&String| !body.contains(file.trim_start_matches("src/"));
            for changed in leg.changed_files().into_iter().filter(unnamed) {
                let message = format!("changed, but not named in this chapter: `{changed}`");
                problems.push(Problem::new(file, chapter.line, message));
            }
        }
    }
    problems
}

/// Splits a chapter where a sub-stage is reached.
fn legs<'a>(root: &Path, chapter: &'a Chapter) -> Result<Vec<Leg<'a>>, String> {
    let before = chapter.stage.checked_sub(1).ok_or("there is no stage before this one")?;
    let mut start = package::dir(root, before)?;
    let mut old = Package::read(root, &start)?;
    let end = package::dir(root, chapter.stage)?;
    let mut legs = Vec::new();
    for directives in chapter.directives.split_inclusive(|d| matches!(d.what, What::Step(_))) {
        let (dir, new) = match directives.last().map(|last| &last.what) {
            Some(What::Step(name)) => {
                (format!("{end}/steps/{name}"), Package::read_step(root, &end, name)?)
            }
            _ => (end.clone(), Package::read(root, &end)?),
        };
        let dirs = [std::mem::replace(&mut start, dir.clone()), dir];
        let old = std::mem::replace(&mut old, new.clone());
        legs.push(Leg { dirs, old, new, line: chapter.line, directives });
    }
    if !matches!(chapter.directives.last(), Some(Directive { what: What::Step(_), .. }))
        && !legs.is_empty()
    {
        return Ok(legs);
    }
    let (dirs, new) = ([start, end.clone()], Package::read(root, &end)?);
    legs.push(Leg { dirs, old, new, line: chapter.line, directives: &[] });
    Ok(legs)
}

/// The items that change, by their file.
fn changed(changes: &BTreeMap<String, FileChange>, leg: &Leg) -> BTreeMap<String, Changed> {
    let files = changes.iter().map(|(file, change)| (file.clone(), Changed::of(change)));
    let dependencies = package::changed_dependencies(&leg.old, &leg.new);
    let keys: Vec<_> = dependencies.into_iter().map(|name| (name, None)).collect();
    let dependencies = (!keys.is_empty()).then(|| (DEPENDENCIES.to_owned(), Changed { keys }));
    dependencies.into_iter().chain(files).collect()
}

impl Leg<'_> {
    fn changed_files(&self) -> BTreeSet<&String> {
        let files = self.old.files.keys().chain(self.new.files.keys());
        files.filter(|file| self.old.files.get(*file) != self.new.files.get(*file)).collect()
    }

    fn changes(&self) -> Result<BTreeMap<String, FileChange>, String> {
        let text =
            |package: &Package, file: &str| package.files.get(file).cloned().unwrap_or_default();
        let change = |file: &String| {
            let change = FileChange::new(&text(&self.old, file), &text(&self.new, file));
            change.map(|change| (file.clone(), change)).map_err(|error| format!("{file}: {error}"))
        };
        self.changed_files().into_iter().map(change).collect()
    }

    /// What stands between the marks of each move.
    fn written(&self, text: &str) -> Result<Vec<(Range<usize>, String)>, Vec<Problem>> {
        let at_heading = |error: String| vec![Problem::new(text, self.line, error)];
        let changes = self.changes().map_err(at_heading)?;
        let moves: Vec<(usize, &str, &[String])> = self
            .directives
            .iter()
            .filter_map(|directive| match &directive.what {
                What::Move { file, names } => {
                    Some((directive.line, file.as_str(), names.as_slice()))
                }
                _ => None,
            })
            .collect();
        let resolved = resolve(text, self.line, &moves, &changed(&changes, self))?;
        let mut done: BTreeMap<&str, Done> = BTreeMap::new();
        let bodies = self.directives.iter().filter(|directive| directive.is_move());
        let mut written = Vec::new();
        for ((body, (_, file, _)), keys) in bodies.map(|d| d.body.clone()).zip(moves).zip(resolved)
        {
            let generated = match changes.get(file) {
                None => package::commands(&self.old, &self.new, keys.iter()),
                Some(change) => {
                    let before = done.entry(file).or_default();
                    let after: Done = before.union(&keys).cloned().collect();
                    let dirs = [&*self.dirs[0], &*self.dirs[1]];
                    let generated = render::render(change, [before, &after], file, dirs);
                    *before = after;
                    generated
                }
            };
            written.push((body, generated));
        }
        Ok(written)
    }
}

/// A package at some place of the text.
struct State {
    line: usize,
    package: Package,
    expected: Expected,
}

enum Expected {
    /// Nobody has said whether it compiles.
    Anything,
    Compiles,
    /// It is a detour, which ends like this; with what the text has after the `diff`.
    Ends {
        result: String,
        rest: String,
    },
}

/// Types the moves and the detours of a text in their order.
fn states(root: &Path, file: &str, text: &str) -> Result<Vec<State>, Vec<Problem>> {
    let mut states = Vec::new();
    let mut problems = Vec::new();
    for chapter in &with_moves(file, text)? {
        let at_heading = |error: String| vec![Problem::new(file, chapter.line, error)];
        for leg in legs(root, chapter).map_err(at_heading)? {
            let mut package = leg.old.clone();
            let mut line = chapter.line;
            for directive in leg.directives {
                line = directive.line;
                let body = &text[directive.body.clone()];
                let state = |package: &Package, expected| State {
                    line,
                    package: package.clone(),
                    expected,
                };
                let typed = match &directive.what {
                    What::Move { .. } => {
                        let typed = replay::type_in(&mut package, body);
                        states.push(state(&package, Expected::Anything));
                        typed
                    }
                    What::Compiles | What::Step(_) => {
                        compiles(&mut states, line, &package);
                        Ok(())
                    }
                    What::Try { file, result } => {
                        detour(&package, file, body).map(|(package, rest)| {
                            states.push(state(
                                &package,
                                Expected::Ends { result: result.clone(), rest },
                            ));
                        })
                    }
                };
                problems.extend(typed.err().map(|error| Problem::new(file, line, error)));
            }
            compiles(&mut states, line, &package);
            let wrong = difference(&package, &leg.new);
            let wrong =
                wrong.map(|wrong| format!("what was typed is not {}: {wrong}", leg.dirs[1]));
            problems.extend(wrong.map(|wrong| Problem::new(file, chapter.line, wrong)));
        }
    }
    if problems.is_empty() { Ok(states) } else { Err(problems) }
}

/// The package compiles here: the last state, if it was not a detour.
fn compiles(states: &mut Vec<State>, line: usize, package: &Package) {
    match states.last_mut().filter(|last| last.package == *package) {
        Some(last) => last.expected = Expected::Compiles,
        None => states.push(State { line, package: package.clone(), expected: Expected::Compiles }),
    }
}

/// A package with the `diff` of a detour, and the text after it.
fn detour(package: &Package, file: &str, body: &str) -> Result<(Package, String), String> {
    let fence = body.split_once("```diff\n").and_then(|(_, rest)| rest.split_once("```\n"));
    let (diff, rest) = fence.ok_or("a detour has a `diff` fence")?;
    let mut package = package.clone();
    let text = package.files.get(file).ok_or(format!("there is no `{file}`"))?;
    let patched = replay::patch(text, &diff.lines().collect::<Vec<_>>())?;
    package.files.insert(file.to_owned(), patched);
    Ok((package, rest.to_owned()))
}

/// Where two packages differ first.
fn difference(typed: &Package, stage: &Package) -> Option<String> {
    let files: BTreeSet<&String> = typed.files.keys().chain(stage.files.keys()).collect();
    for file in files {
        let (Some(typed), Some(stage)) = (typed.files.get(file), stage.files.get(file)) else {
            return Some(format!("`{file}` is in one of them only"));
        };
        if typed != stage {
            let same = typed.lines().zip(stage.lines()).take_while(|(a, b)| a == b).count();
            return Some(format!("`{file}` differs in line {}", same + 1));
        }
    }
    let changed = package::changed_dependencies(typed, stage);
    changed.first().map(|name| format!("the dependency `{name}` differs"))
}
