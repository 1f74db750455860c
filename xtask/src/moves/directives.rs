//! Finds the directives of a text.

use crate::problem::Problem;
use crate::text::{lines_of_prose, mark};
use std::ops::Range;

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
    /// What has one name in the old stage has another in the new one.
    Rename {
        file: String,
        old: String,
        new: String,
    },
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
        if let Some(end) = ["/move", "/try"].into_iter().find(|end| mark(content, end).is_some()) {
            let open = chapter.directives.last_mut().filter(|last| last.what.end() == Some(end));
            match open.filter(|_| is_open) {
                Some(open) => open.body.end = start,
                None => problem("there is nothing that this ends"),
            }
            is_open = false;
            continue;
        }
        match directive(content) {
            Some(Ok(_)) if is_open => problem("the directive before this has no end"),
            Some(Ok(_)) if chapter.stage == 0 => problem("this chapter has no number"),
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
            What::Compiles | What::Step(_) | What::Rename { .. } => None,
        }
    }
}

fn directive(line: &str) -> Option<Result<What, &'static str>> {
    let owned = |text: &str| text.trim().to_owned();
    if let Some(arguments) = mark(line, "move") {
        let what = arguments.split_once(':').map(|(file, names)| What::Move {
            file: owned(file),
            names: names.split(',').map(owned).collect(),
        });
        return Some(what.ok_or("a move is `FILE: ITEM, ITEM, …`"));
    }
    if let Some(arguments) = mark(line, "try") {
        let what = arguments.split_once(' ');
        let what =
            what.map(|(file, result)| What::Try { file: owned(file), result: owned(result) });
        return Some(what.ok_or("a try is `FILE RESULT`"));
    }
    if let Some(arguments) = mark(line, "rename") {
        let what = arguments.split_once(':').and_then(|(file, names)| {
            let (old, new) = names.split_once('=')?;
            Some(What::Rename { file: owned(file), old: owned(old), new: owned(new) })
        });
        return Some(what.ok_or("a rename is `FILE: OLD = NEW`"));
    }
    let step = mark(line, "step").map(|name| Ok(What::Step(owned(name))));
    step.or_else(|| mark(line, "compiles").map(|_| Ok(What::Compiles)))
}
