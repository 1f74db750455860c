//! Code of the stages and of `final` that the text shows as it is:
//!
//! ```text
//! <!-- excerpt final/src/kv_store/record.rs: Record::write fold "if is_large" -->
//! (the caption and the code: generated)
//! <!-- /excerpt -->
//! ```
//!
//! An item is called as in moves: `name`, `Type::name`, `impl Type` or `impl Trait for Type`. Its lines
//! are shown without documentation, and otherwise as these words after its name say:
//!
//! | | |
//! |---|---|
//! | `docs` | with it |
//! | `fold "text"` | `…` for the line that has this text, and for its block |
//! | `fold "text" "text"` | `…` for the lines from the first to the block of the second |
//!
//! The item `//!` is what the file says of itself, as text.
//!
//! The file has to be formatted by rustfmt: a block ends where its indentation says so.

use crate::moves::items::lines_of;
use crate::text::{rewrite, words};
use crate::tree::{Problem, Tree};

const OPTIONS: [&str; 2] = ["docs", "fold"];

/// Writes the excerpts of a text.
pub(crate) fn sync(tree: &mut Tree, file: &str) -> Vec<Problem> {
    tree.rewrite(file, |tree, text| {
        rewrite(file, text, "excerpt", |arguments| {
            let (path, rest) = arguments.split_once(": ").ok_or("an excerpt is `FILE: ITEM`")?;
            let source = tree.read(path).map_err(|problem| problem.message)?;
            if rest == "//!" { Ok(docs(&source)) } else { excerpt(path, &source, rest) }
        })
    })
}

/// The first lines of a file, which document it.
fn docs(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect()
}

/// Caption and fence of an excerpt.
fn excerpt(path: &str, source: &str, directive: &str) -> Result<String, String> {
    let words = words(directive);
    let is_option = |word: &&str| OPTIONS.contains(word);
    let end = words.iter().position(is_option).unwrap_or(words.len());
    let item = words[..end].join(" ");
    let lines = lines_of(source, &item)?;
    let margin = lines.first().map_or(0, |line| indentation(line));
    let mut lines: Vec<&str> = lines.iter().map(|line| line.get(margin..).unwrap_or("")).collect();
    let mut folds = Vec::new();
    if !words.contains(&"docs") {
        lines.retain(|line| !line.trim_start().starts_with("///"));
    }
    for fold in words[end..].split(|word| *word == "fold").skip(1) {
        let first = line_with(&lines, fold.first().ok_or("a text is missing")?)?;
        let last = fold.get(1).map_or(Ok(first), |text| line_with(&lines, text))?;
        folds.push((first, block_end(&lines, last)));
    }
    let mut shown = String::new();
    for (at, line) in lines.iter().enumerate() {
        match folds.iter().find(|(first, last)| (*first..=*last).contains(&at)) {
            None => shown += &format!("{line}\n"),
            Some((first, _)) if *first == at => {
                shown += &format!("{}…\n", " ".repeat(indentation(line)));
            }
            Some(_) => {}
        }
    }
    // A stage's file, as the reader has it.
    let is_of_stage = path.starts_with("stages/") && !path.starts_with("stages/common/");
    let name = if is_of_stage { path.splitn(3, '/').last() } else { Some(path) };
    let item = item.split(" #").next().unwrap_or(&item);
    Ok(format!("[`{}`]({path}), `{item}`:\n\n```rust\n{shown}```\n", name.unwrap_or(path)))
}

/// The last line of what begins in a line: those that are deeper, and what closes it.
fn block_end(lines: &[&str], first: usize) -> usize {
    let margin = indentation(lines[first]);
    for (at, line) in lines.iter().enumerate().skip(first + 1) {
        let start = line.trim_start();
        let closes = start.starts_with(['}', ')', ']']);
        // `where`, `{`, `) -> T {` and `} else {` are not the end.
        let goes_on = start == "where" || (closes || start == "{") && line.ends_with('{');
        if !line.is_empty() && indentation(line) <= margin && !goes_on {
            let before = lines[..at].iter().rposition(|line| !line.is_empty()).unwrap_or(first);
            return if closes && indentation(line) == margin { at } else { before };
        }
    }
    lines.len() - 1
}

/// The one line that has a text.
fn line_with(lines: &[&str], text: &str) -> Result<usize, String> {
    let found: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].contains(text)).collect();
    match found[..] {
        [at] => Ok(at),
        _ => Err(format!("`{text}` is in {} lines of the item", found.len())),
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
fn lone() {}

impl Store {
    fn get(&self) {
        match n {
            n => n,
        }
    }
}
";

    #[test]
    fn an_item_or_a_text_that_is_not_there_once_is_noticed() {
        for (directive, message) in [
            ("ghost", "there is no `ghost`"),
            ("Store::lone", "there is no `Store::lone`"),
            ("Store::get fold \"ghost\"", "`ghost` is in 0 lines of the item"),
            ("Store::get fold \"n\"", "`n` is in 3 lines of the item"),
            ("Store::get fold", "a text is missing"),
        ] {
            assert_eq!(excerpt("a.rs", SOURCE, directive), Err(message.to_owned()));
        }
    }
}
