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
//! | `from "text"`, `to "text"` | from, or up to, the line that has this text |
//! | `fold "text"` | `…` for the line that has this text, and for its block |
//! | `fold "text" "text"` | `…` for the lines from the first to the block of the second |
//!
//! The file has to be formatted by rustfmt: a block ends where its indentation says so.

use crate::moves::items::lines_of;
use crate::problem::Problem;
use crate::text::{rewrite, words};
use crate::tree::Tree;

const OPTIONS: [&str; 4] = ["docs", "from", "to", "fold"];

/// Writes the excerpts of a text.
pub(crate) fn sync(tree: &mut Tree, file: &str) -> Vec<Problem> {
    tree.rewrite(file, |tree, text| {
        rewrite(file, text, "excerpt", |arguments| {
            let (path, rest) = arguments.split_once(": ").ok_or("an excerpt is `FILE: ITEM`")?;
            let source = tree.read(path).map_err(|problem| problem.message)?;
            excerpt(path, &source, rest)
        })
    })
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
    let (mut from, mut to) = (0, None);

    if !words.contains(&"docs") {
        lines.retain(|line| !line.trim_start().starts_with("///"));
    }
    let mut rest = words[end..].iter().copied().peekable();
    while let Some(option) = rest.next() {
        let mut fragment = || rest.next_if(|word| !OPTIONS.contains(word));
        let mut place = || line_with(&lines, fragment().ok_or("a text is missing")?);
        match option {
            "from" => from = place()?,
            "to" => to = Some(place()?),
            "fold" => {
                let first = place()?;
                let last = match fragment() {
                    Some(text) => block_end(&lines, line_with(&lines, text)?),
                    None => block_end(&lines, first),
                };
                folds.push((first, last));
            }
            _ => {}
        }
    }
    let mut shown = String::new();
    for (at, line) in lines.iter().enumerate().take(to.unwrap_or(lines.len() - 1) + 1).skip(from) {
        match folds.iter().find(|(first, last)| (*first..=*last).contains(&at)) {
            None => shown += &format!("{line}\n"),
            Some((first, _)) if *first == at => {
                shown += &format!("{}…\n", " ".repeat(indentation(line)));
            }
            Some(_) => {}
        }
    }
    let name = if path.starts_with("stages/") { path.splitn(3, '/').last() } else { Some(path) };
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
//! A file.

/// A store.
#[derive(Clone)]
pub struct Store<K>(K);

pub(super) const fn lone() {}

const LIST: [u8; 2] = [
    1,
];

impl<K: Clone> Store<K> {
    /// Gets.
    pub fn get<F>(&self, f: F) -> u8
    where
        F: Fn() -> u8,
    {
        // Why.
        match f() {
            0 => 1,
            n => {
                log(n);
                n
            }
        }
    }

    fn set(
        &self,
    ) -> u8 {
        lone()
    }
}

impl<K> Engine<K> for Other {
    fn get(&self) {}
}

pub trait Engine<K>: Sized {
    /// Gets.
    fn get(&self);
}
";

    #[track_caller]
    fn assert_shown(directive: &str, expected: &str) {
        let text = excerpt("stages/1-a/src/b.rs", SOURCE, directive).unwrap();
        let (caption, code) = text.split_once("```rust\\n".replace("\\n", "\n").as_str()).unwrap();
        assert!(caption.starts_with("[`src/b.rs`](stages/1-a/src/b.rs), `"), "{caption}");
        assert_eq!(code.strip_suffix("```\n").unwrap(), expected);
    }

    #[test]
    fn items_are_found_by_their_names() {
        assert_shown("Store", "#[derive(Clone)]\npub struct Store<K>(K);\n");
        assert_shown("Store docs", "/// A store.\n#[derive(Clone)]\npub struct Store<K>(K);\n");
        assert_shown("lone", "pub(super) const fn lone() {}\n");
        assert_shown("LIST", "const LIST: [u8; 2] = [\n    1,\n];\n");
        assert_shown("Store::set", "fn set(\n    &self,\n) -> u8 {\n    lone()\n}\n");
        assert_shown("Other::get", "fn get(&self) {}\n");
        assert_shown("Engine", "pub trait Engine<K>: Sized {\n    fn get(&self);\n}\n");
        let engine = "impl<K> Engine<K> for Other {\n    fn get(&self) {}\n}\n";
        assert_shown("impl Engine for Other", engine);
    }

    #[test]
    fn lines_are_folded_and_cut_by_what_they_say() {
        let head = "pub fn get<F>(&self, f: F) -> u8\nwhere\n    F: Fn() -> u8,\n{\n    // Why.\n";
        assert_shown("Store::get fold \"match f\"", &format!("{head}    …\n}}\n"));
        let body = "    match f() {\n        0 => 1,\n        …\n    }\n}\n";
        assert_shown("Store::get fold \"n => {\"", &format!("{head}{body}"));
        assert_shown(
            "Store::get from \"match f\" fold \"0 =>\" \"0 =>\" to \"log(n)\"",
            "    match f() {\n        …\n        n => {\n            log(n);\n",
        );
    }

    #[test]
    fn an_item_or_a_text_that_is_not_there_once_is_noticed() {
        for (directive, message) in [
            ("ghost", "there is no `ghost`"),
            ("Store::lone", "there is no `Store::lone`"),
            ("Store::get fold \"ghost\"", "`ghost` is in 0 lines of the item"),
            ("Store::get from \"n\"", "`n` is in 5 lines of the item"),
            ("Store::get fold", "a text is missing"),
        ] {
            assert_eq!(excerpt("a.rs", SOURCE, directive), Err(message.to_owned()));
        }
    }

    #[test]
    fn a_renamed_variable_is_renamed_in_the_text_too() {
        let root = tempfile::tempdir().unwrap();
        let mut tree = Tree::new(root.path());
        tree.write("t.md", "<!-- excerpt a.rs: f -->\n<!-- /excerpt -->\n".to_owned());
        for name in ["old", "new"] {
            tree.write("a.rs", format!("fn f() {{\n    let {name} = 1;\n}}\n"));
            assert_eq!(sync(&mut tree, "t.md"), []);
            assert!(tree.read("t.md").unwrap().contains(&format!("let {name} = 1;")));
        }
        tree.write("t.md", "\n<!-- excerpt a.rs: g -->\n<!-- /excerpt -->\n".to_owned());
        assert_eq!(sync(&mut tree, "t.md"), [Problem::new("t.md", 2, "there is no `g`")]);
    }
}
