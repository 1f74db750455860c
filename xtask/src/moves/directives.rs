//! Finds the directives of a text.

use crate::text::{Block, blocks, prose};
use crate::tree::Problem;
use std::ops::Range;

/// What stands under a heading such as `## 4. A fixed number of threads`.
#[derive(Debug)]
pub(super) struct Chapter {
    /// Which stage it ends with.
    pub(super) stage: usize,
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
