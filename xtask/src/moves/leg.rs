//! The directives of a text; and the way from one stage to the next: what changes on it, and which move each
//! item is in.

use super::file_change::{Done, FileChange};
use super::package::{self, Package};
use super::render::render;
use crate::text::{Block, blocks, prose};
use crate::tree::Problem;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// What stands under a heading such as `## 4. A fixed number of threads`.
#[derive(Debug)]
pub(super) struct Chapter {
    /// Which stage it ends with.
    stage: usize,
    /// The line of its heading.
    pub(super) line: usize,
    /// Those of an interlude, which has no number, count as those of the chapter before it.
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
    /// A detour.
    Try,
    /// The program compiles here.
    Compiles,
    /// Here the program is as in this sub-stage.
    Step(String),
    /// What has one name in the old stage has another in the new one.
    Rename {
        file: String,
        old: String,
        new: String,
    },
}

/// The numbered chapters of a text.
pub(super) fn chapters(file: &str, text: &str) -> Result<Vec<Chapter>, Vec<Problem>> {
    let mut chapters: Vec<Chapter> = Vec::new();
    for (line, _, content) in prose(text) {
        let Some(title) = content.strip_prefix("## ") else { continue };
        let number = title.split_once('.').and_then(|(number, _)| number.parse().ok());
        chapters.extend(number.map(|stage| Chapter { stage, line, directives: Vec::new() }));
    }
    let alone = ["compiles", "step", "rename"];
    let (blocks, mut problems) = blocks(file, text, &["move", "try"], &alone);
    for Block { line, name, arguments, body } in blocks {
        let chapter = chapters.iter_mut().rfind(|chapter| chapter.line < line);
        match (directive(name, arguments), chapter.filter(|chapter| chapter.stage > 0)) {
            (Ok(what), Some(chapter)) => chapter.directives.push(Directive { line, what, body }),
            (Ok(_), None) => problems.push(Problem::new(file, line, "this chapter has no number")),
            (Err(message), _) => problems.push(Problem::new(file, line, message)),
        }
    }
    chapters.retain(|chapter| chapter.stage > 0);
    if problems.is_empty() { Ok(chapters) } else { Err(problems) }
}

impl Directive {
    pub(super) fn is_move(&self) -> bool {
        matches!(self.what, What::Move { .. })
    }
}

fn directive(name: &str, arguments: &str) -> Result<What, &'static str> {
    let owned = |text: &str| text.trim().to_owned();
    Ok(match name {
        "move" => {
            let parts = arguments.split_once(':').ok_or("a move is `FILE: ITEM, ITEM, …`")?;
            What::Move { file: owned(parts.0), names: parts.1.split(',').map(owned).collect() }
        }
        "rename" => {
            let parts = arguments.split_once(':');
            let parts = parts.and_then(|(file, names)| Some((file, names.split_once('=')?)));
            let (file, (old, new)) = parts.ok_or("a rename is `FILE: OLD = NEW`")?;
            What::Rename { file: owned(file), old: owned(old), new: owned(new) }
        }
        "try" => What::Try,
        "step" => What::Step(owned(arguments)),
        _ => What::Compiles,
    })
}

/// The file whose items are the dependencies.
const DEPENDENCIES: &str = "Cargo.toml";

/// The way from one stage or sub-stage to the next.
pub(super) struct Leg<'a> {
    /// Where it ends, below the root, and what is there before and then.
    pub(super) dir: String,
    root: &'a Path,
    pub(super) old: Package,
    pub(super) new: Package,
    /// Of the stage that the chapter ends with.
    pub(super) chapter: usize,
    /// The line of the chapter's heading.
    pub(super) line: usize,
    pub(super) directives: &'a [Directive],
}

/// An item that changes.
pub(super) struct Item {
    pub(super) file: String,
    pub(super) key: String,
    /// The `impl` that it is a member of.
    parent: Option<String>,
}

/// Splits a chapter where a sub-stage is reached.
///
/// # Errors
/// If one of the stages is not there.
pub(super) fn legs<'a>(root: &'a Path, chapter: &'a Chapter) -> Result<Vec<Leg<'a>>, String> {
    let before = chapter.stage.checked_sub(1).ok_or("there is no stage before this one")?;
    let (start, end) = (package::dir(root, before)?, package::dir(root, chapter.stage)?);
    let mut places = vec![(start.clone(), Package::read(root, &start)?)];
    for directive in &chapter.directives {
        if let What::Step(name) = &directive.what {
            let step = format!("{end}/steps/{name}");
            places.push((step.clone(), Package::read_step(root, &end, &step)?));
        }
    }
    places.push((end.clone(), Package::read(root, &end)?));
    let parts = chapter.directives.split(|directive| matches!(directive.what, What::Step(_)));
    let leg = |(ends, directives): (&[(String, Package)], &'a [Directive])| Leg {
        dir: ends[1].0.clone(),
        root,
        old: ends[0].1.clone(),
        new: ends[1].1.clone(),
        chapter: chapter.stage,
        line: chapter.line,
        directives,
    };
    Ok(places.windows(2).zip(parts).map(leg).collect())
}

impl Item {
    /// What can stand for it in a directive, the closest first.
    fn names(&self) -> impl Iterator<Item = &str> {
        [Some(&*self.key), self.documented(), self.parent.as_deref(), Some("*")]
            .into_iter()
            .flatten()
    }

    /// The item that this is the documentation of.
    fn documented(&self) -> Option<&str> {
        self.key.strip_suffix(".docs")
    }
}

impl Leg<'_> {
    /// The files that change.
    pub(super) fn changes(&self) -> Result<BTreeMap<String, FileChange>, String> {
        let files = package::differing(&self.old, &self.new);
        let change = |file: String| {
            let text = |package: &Package| package.files.get(&file).cloned().unwrap_or_default();
            let renames = self.directives.iter().filter_map(|directive| match &directive.what {
                What::Rename { file: other, old, new } if *other == file => Some((&**old, &**new)),
                _ => None,
            });
            let change = FileChange::new(&text(&self.old), &text(&self.new), renames.collect());
            change.map_err(|error| format!("{file}: {error}")).map(|change| (file, change))
        };
        files.into_iter().filter(|file| file != DEPENDENCIES).map(change).collect()
    }

    /// The items that change.
    pub(super) fn items(&self, changes: &BTreeMap<String, FileChange>) -> Vec<Item> {
        let item = |file: &str, key, parent| Item { file: file.to_owned(), key, parent };
        let dependencies = package::changed_dependencies(&self.old, &self.new);
        let dependencies = dependencies.into_iter().map(|name| item(DEPENDENCIES, name, None));
        let of_file = |(file, change): (&String, &FileChange)| -> Vec<Item> {
            let parent = |key: &str| change.parent(key).map(str::to_owned);
            change.changed().map(|key| item(file, key.clone(), parent(&key))).collect()
        };
        dependencies.chain(changes.iter().flat_map(of_file)).collect()
    }

    /// What goes between the marks of each move.
    pub(super) fn written(&self, text: &str) -> Result<Vec<(Range<usize>, String)>, Vec<Problem>> {
        let changes = self.changes().map_err(|e| vec![Problem::new(text, self.line, e)])?;
        let taken = self.taken(text, &self.items(&changes))?;
        let mut done: BTreeMap<&str, Done> = BTreeMap::new();
        let mut written = Vec::new();
        for (directive, keys) in self.directives.iter().zip(taken) {
            let What::Move { file, .. } = &directive.what else { continue };
            let generated = if let Some(change) = changes.get(file) {
                let before = done.entry(file).or_default();
                let after: Done = before.union(&keys).cloned().collect();
                let before = std::mem::replace(before, after.clone());
                render(change, [&before, &after], file, self.dir_of(file))
            } else {
                package::commands(&self.new, keys.iter())
            };
            written.push((directive.body.clone(), generated));
        }
        Ok(written)
    }

    /// Where a file is then; a sub-stage has only those that differ from its stage's.
    fn dir_of(&self, file: &str) -> &str {
        match self.dir.split_once("/steps/") {
            Some((stage, _)) if !self.root.join(&self.dir).join(file).exists() => stage,
            _ => &self.dir,
        }
    }

    /// The items that each directive takes.
    fn taken(&self, text: &str, items: &[Item]) -> Result<Vec<Done>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut taken = vec![Done::new(); self.directives.len()];
        for item in items {
            let takers = item.names().map(|name| self.naming(&item.file, name));
            let takers = takers.into_iter().find(|takers| !takers.is_empty()).unwrap_or_default();
            let problem = |line, message| {
                Problem::new(text, line, format!("{message}: `{}` of `{}`", item.key, item.file))
            };
            match takers[..] {
                [] => problems.push(problem(self.line, "changed, but in no move".to_owned())),
                [at] => drop(taken[at].insert(item.key.clone())),
                [first, .., last] => {
                    let [first, last] = [first, last].map(|at| self.directives[at].line);
                    problems.push(problem(last, format!("in two moves (see line {first})")));
                }
            }
        }
        for (at, directive) in self.directives.iter().enumerate() {
            let What::Move { file, names } = &directive.what else { continue };
            for name in names {
                // An import that comes earlier than it would.
                if name.starts_with("use") {
                    taken[at].insert(name.clone());
                    continue;
                }
                let is_it =
                    |item: &Item| item.file == *file && item.names().any(|other| other == name);
                if !items.iter().any(is_it) {
                    let message = format!("`{name}` of `{file}` does not change in this chapter");
                    problems.push(Problem::new(text, directive.line, message));
                }
            }
        }
        if problems.is_empty() { Ok(taken) } else { Err(problems) }
    }

    /// The directives that have a name, by their number.
    fn naming(&self, file: &str, name: &str) -> Vec<usize> {
        let has = |directive: &Directive| match &directive.what {
            What::Move { file: other, names } => other == file && names.iter().any(|n| n == name),
            _ => false,
        };
        (0..self.directives.len()).filter(|at| has(&self.directives[*at])).collect()
    }
}
