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
