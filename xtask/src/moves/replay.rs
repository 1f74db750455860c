//! Types a chapter as a reader would: from the captions and the fences alone, without a parser and
//! without anything that the generator knows. What the text does not say is missing here too.

use super::package::{Dependency, Package};
use std::collections::BTreeMap;
use std::ops::Range;

/// Types what the generated text of one move says.
///
/// # Errors
/// If the text leaves open what is to be done.
pub(super) fn type_in(package: &mut Package, body: &str) -> Result<(), String> {
    let mut caption: Option<(&str, &str)> = None;
    let mut fence: Option<(&str, Vec<&str>)> = None;
    for line in body.lines() {
        let Some((language, mut lines)) = fence.take() else {
            if let Some(language) = line.strip_prefix("```") {
                fence = Some((language, Vec::new()));
            } else if let Some((file, rest)) =
                line.strip_prefix("[`").and_then(|l| l.split_once("`]("))
            {
                let words = rest.split_once(')').map_or("", |(_, words)| words);
                match words.strip_prefix(": delete ") {
                    Some(what) => delete(&mut package.files, file, what)?,
                    None => caption = Some((file, words.trim_matches([',', ' ', ':']))),
                }
            } else if !line.is_empty() {
                return Err(format!("`{line}`: what is to be done?"));
            }
            continue;
        };
        if line != "```" {
            lines.push(line);
            fence = Some((language, lines));
            continue;
        }
        match (language, caption.take()) {
            ("console", None) => lines.iter().try_for_each(|line| run(package, line))?,
            ("rust", Some((file, place))) => insert(&mut package.files, file, place, &lines)?,
            ("diff", Some((file, _))) => {
                let text = package.files.get(file).ok_or(format!("there is no `{file}`"))?;
                let text = patch(text, &lines)?;
                package.files.insert(file.to_owned(), text);
            }
            (language, _) => return Err(format!("a `{language}` fence without a caption")),
        }
    }
    Ok(())
}

/// Makes the changes of a `diff` fence. Each of its parts, between the lines ` …`, has to be found
/// after the one before it. A part with changes has to be found once, or right after the first line
/// of an item that is.
pub(super) fn patch(text: &str, fence: &[&str]) -> Result<String, String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut from = 0;
    let mut is_after_signature = false;
    for part in fence.split(|line| line.trim() == "…") {
        let side = |sign: char| -> Vec<&str> {
            let stays = part.iter().filter(|line| !line.starts_with(sign));
            stays.map(|line| line.get(1..).unwrap_or_default()).collect()
        };
        let (old, new) = (side('+'), side('-'));
        let first = part.first().unwrap_or(&"").trim();
        let mut places = (from..lines.len()).filter(|at| {
            lines[*at..].len() >= old.len() && lines[*at..].iter().zip(&old).all(|(a, b)| a == b)
        });
        let place = places.next().ok_or(format!("`{first}` and what follows is nowhere"))?;
        if old.is_empty() || places.next().is_some() && !is_after_signature {
            return Err(format!("`{first}`: the reader can't tell where this is"));
        }
        lines.splice(place..place + old.len(), new.iter().map(|&line| line.to_owned()));
        from = place + new.len();
        is_after_signature = part.len() == 1 && old == new;
    }
    Ok(joined(&lines))
}

/// Types new code where its caption says.
fn insert(
    files: &mut BTreeMap<String, String>,
    file: &str,
    place: &str,
    code: &[&str],
) -> Result<(), String> {
    let code: Vec<String> = code.iter().map(|&line| line.to_owned()).collect();
    if place == "a new file" {
        let old = files.insert(file.to_owned(), joined(&code));
        return old.map_or(Ok(()), |_| Err(format!("`{file}` is not new")));
    }
    let text = files.get_mut(file).ok_or(format!("there is no `{file}`"))?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (outer, place) = match place.split_once(", ") {
        Some((block, place)) => (find(&lines, 0..lines.len(), quoted(block)?)?, place),
        None => (0..lines.len(), place),
    };
    let blank = || [String::new()];
    if place == "at the start" {
        lines.splice(outer.start + 1..outer.start + 1, code.into_iter().chain(blank()));
    } else {
        let at = match place {
            "at the end" => lines.len(),
            "after the imports" => {
                let last = lines.iter().rposition(|line| line.starts_with("use "));
                let end = |at: usize| lines[at..].iter().position(|line| line.ends_with(';'));
                last.and_then(|at| Some(at + end(at)? + 1)).ok_or("there are no imports")?
            }
            place => find(&lines, outer, quoted(place)?)?.end,
        };
        lines.splice(at..at, blank().into_iter().chain(code));
    }
    *text = joined(&lines);
    Ok(())
}

/// Deletes the items of a sentence, or a file.
fn delete(files: &mut BTreeMap<String, String>, file: &str, what: &str) -> Result<(), String> {
    let text = files.get_mut(file).ok_or(format!("there is no `{file}`"))?;
    if what == "the file." {
        files.remove(file);
        return Ok(());
    }
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for name in what.split('`').skip(1).step_by(2) {
        let whole = 0..lines.len();
        let mut item = match name.split_once("::") {
            Some((subject, member)) => {
                let blocks = (0..lines.len()).filter(|at| {
                    let head = without_generics(&lines[*at]);
                    head.starts_with("impl ")
                        && head.trim_end_matches(" {").ends_with(&format!(" {subject}"))
                });
                let mut found =
                    blocks.filter_map(|at| find(&lines, at..end(&lines, at)?, member).ok());
                found.next().ok_or(format!("there is no `{name}`"))?
            }
            None => find(&lines, whole, name)?,
        };
        let is_comment = |line: &String| line.trim_start().starts_with(['/', '#']);
        item.start -= lines[..item.start].iter().rev().take_while(|line| is_comment(line)).count();
        // One of the blank lines around it goes too: the one above, if there is one.
        if item.start > 0 && lines[item.start - 1].is_empty() {
            item.start -= 1;
        } else if lines.get(item.end).is_some_and(String::is_empty) {
            item.end += 1;
        }
        lines.drain(item);
    }
    *text = joined(&lines);
    Ok(())
}

/// What stands between backticks.
fn quoted(words: &str) -> Result<&str, String> {
    words.split('`').nth(1).ok_or(format!("`{words}` names no item"))
}

/// The lines of an item, from the one that names it to its end, which is indented as it is.
fn find(lines: &[String], within: Range<usize>, name: &str) -> Result<Range<usize>, String> {
    let words = ["fn", "struct", "enum", "trait", "type", "const", "static", "union"];
    // Members are one step deeper than what encloses them.
    let depth = if within.start == 0 && within.end == lines.len() { 0 } else { 4 };
    let is_named = |line: &String| {
        if line.len() - line.trim_start().len() != depth {
            return false;
        }
        let line = without_generics(line);
        if name.starts_with("impl ") {
            return line.trim_end_matches(" {") == name;
        }
        let mut found =
            line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty());
        let keyword =
            found.find(|word| !["pub", "crate", "super", "async", "unsafe"].contains(word));
        keyword.is_some_and(|word| words.contains(&word)) && found.next() == Some(name)
    };
    let mut places = within.filter(|at| is_named(&lines[*at]));
    let first = places.next().ok_or(format!("there is no `{name}`"))?;
    if places.next().is_some() {
        return Err(format!("there is more than one `{name}`"));
    }
    Ok(first..end(lines, first).ok_or(format!("`{name}` has no end"))?)
}

/// Where an item ends that begins in this line.
fn end(lines: &[String], first: usize) -> Option<usize> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    if lines[first].ends_with([';', '}']) {
        return Some(first + 1);
    }
    let is_end = |line: &String| {
        indent(line) == indent(&lines[first]) && (line.ends_with(';') || line.trim() == "}")
    };
    Some(first + 2 + lines[first + 1..].iter().position(is_end)?)
}

/// A line without what is in angle brackets, and without the white space around it.
fn without_generics(line: &str) -> String {
    let mut depth = 0;
    let line = line.replace("->", "");
    let is_plain = |c: &char| {
        depth += i32::from(*c == '<');
        let plain = depth == 0;
        depth -= i32::from(*c == '>');
        plain
    };
    line.trim().chars().filter(is_plain).collect()
}

/// Runs `cargo add` or `cargo remove`.
fn run(package: &mut Package, line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["$", "cargo", "remove", name] => {
            let removed = package.dependencies.remove(name);
            removed.map(drop).ok_or(format!("there is no dependency `{name}`"))
        }
        ["$", "cargo", "add", name, ref options @ ..] => {
            let (name, version) = name.split_once('@').unwrap_or((name, ""));
            let mut added = Dependency { version: version.to_owned(), ..Dependency::default() };
            let mut options = options.iter();
            while let Some(option) = options.next() {
                match *option {
                    "--no-default-features" => added.has_no_defaults = true,
                    "--path" => added.path = options.next().map(|path| (*path).to_owned()),
                    "--features" => {
                        let features = options.next().unwrap_or(&"").split(',');
                        added.features = features.map(str::to_owned).collect();
                    }
                    other => return Err(format!("`{other}` is no option of `cargo add`")),
                }
            }
            package.dependencies.insert(name.to_owned(), added);
            Ok(())
        }
        _ => Err(format!("`{line}` is no command for a dependency")),
    }
}

fn joined(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}
