//! Types a move as a reader would: from the captions and the fences alone, without a parser and
//! without anything that the generator knows. What the text does not say is missing here too.

use super::package::Package;
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
                caption = Some((file, words.trim_matches([',', ' ', ':', '.'])));
                if words == ": delete the file." {
                    caption = None;
                    package.files.remove(file).ok_or(format!("there is no `{file}`"))?;
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
/// after the one before it, and only once; or right after the first line of an item. `- …` stands for
/// lines that go, up to the next part.
pub(super) fn patch(text: &str, fence: &[&str]) -> Result<String, String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let (mut from, mut is_first_meant, mut goes) = (0, false, false);
    for part in fence.split_inclusive(|line| is_gap(line)) {
        let (end, part) = match part.split_last() {
            Some((end, part)) if is_gap(end) => (*end, part),
            _ => ("", part),
        };
        let without = |sign: char| -> Vec<&str> {
            let lines = part.iter().filter(|line| !line.starts_with(sign));
            lines.map(|line| line.get(1..).unwrap_or_default()).collect()
        };
        let (old, new) = (without('+'), without('-'));
        let first = part.first().unwrap_or(&"").trim();
        let mut places = (from..lines.len()).filter(|at| lines[*at..].starts_with(&old));
        let place = places.next().ok_or(format!("`{first}` and what follows is nowhere"))?;
        if old.is_empty() || places.next().is_some() && !is_first_meant {
            return Err(format!("`{first}`: the reader can't tell where this is"));
        }
        let start = if goes { from } else { place };
        goes = end.starts_with('-');
        is_first_meant = goes || part.len() == 1 && old == new;
        let added = new.len();
        lines.splice(start..place + old.len(), new);
        from = start + added;
    }
    Ok(joined(&lines))
}

/// Whether a line of a `diff` stands for others.
fn is_gap(line: &str) -> bool {
    line.trim_start_matches(['-', ' ']).trim_end() == "…"
}

/// Types new code where its caption says.
fn insert(
    files: &mut BTreeMap<String, String>,
    file: &str,
    place: &str,
    code: &[&str],
) -> Result<(), String> {
    if place == "a new file" {
        let old = files.insert(file.to_owned(), joined(code));
        return old.map_or(Ok(()), |_| Err(format!("`{file}` is not new")));
    }
    let text = files.get_mut(file).ok_or(format!("there is no `{file}`"))?;
    let mut lines: Vec<&str> = text.lines().collect();
    let (block, place) = match place.split_once(", ") {
        Some((block, place)) => (Some(quoted(block)?), place),
        None => (None, place),
    };
    let outer = block.map_or(Ok(0..lines.len()), |block| find(&lines, 0..lines.len(), block))?;
    if block.is_some() && place == "at the start" {
        lines.splice(outer.start + 1..outer.start + 1, code.iter().copied().chain([""]));
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
        lines.splice(at..at, [""].into_iter().chain(code.iter().copied()));
    }
    *text = joined(&lines);
    Ok(())
}

/// What stands between backticks.
fn quoted(words: &str) -> Result<&str, String> {
    words.split('`').nth(1).ok_or(format!("`{words}` names no item"))
}

/// The lines of an item, from the one that names it. Members are one step deeper than what encloses
/// them.
fn find(lines: &[&str], within: Range<usize>, name: &str) -> Result<Range<usize>, String> {
    const KINDS: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "const", "static", "union"];
    let depth = if within.len() == lines.len() { 0 } else { 4 };
    let is_it = |at: &usize| {
        let line = without_generics(lines[*at]);
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        let kind =
            words.find(|word| !["", "pub", "crate", "super", "async", "unsafe"].contains(word));
        let is_named = match kind {
            Some("impl") => line.strip_suffix(" {") == Some(name),
            kind => kind.is_some_and(|kind| KINDS.contains(&kind)) && words.next() == Some(name),
        };
        is_named && indentation(lines[*at]) == depth
    };
    let found: Vec<usize> = within.filter(is_it).collect();
    match found[..] {
        [at] => Ok(at..end(lines, at).ok_or(format!("`{name}` has no end"))?),
        _ => Err(format!("there are {} of `{name}`", found.len())),
    }
}

/// Where an item ends that begins in this line: where something closes that is indented as it is.
fn end(lines: &[&str], first: usize) -> Option<usize> {
    if lines[first].ends_with([';', '}']) {
        return Some(first + 1);
    }
    let is_end = |line: &&str| {
        indentation(line) == indentation(lines[first])
            && (line.ends_with(';') || line.trim() == "}")
    };
    Some(first + 2 + lines[first + 1..].iter().position(is_end)?)
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// A line without what is in angle brackets, and without the white space around it.
fn without_generics(line: &str) -> String {
    let mut depth = 0;
    let is_plain = |c: &char| {
        depth += i32::from(*c == '<');
        let is_plain = depth == 0;
        depth -= i32::from(*c == '>');
        is_plain
    };
    line.trim().replace("->", "").chars().filter(is_plain).collect()
}

/// Runs `cargo add` or `cargo remove`.
fn run(package: &mut Package, line: &str) -> Result<(), String> {
    if let Some(name) = line.strip_prefix("$ cargo remove ") {
        let removed = package.dependencies.remove(name);
        return removed.map(drop).ok_or(format!("there is no dependency `{name}`"));
    }
    let added = line.strip_prefix("$ cargo add ").ok_or(format!("`{line}`: what does it do?"))?;
    let name = added.find(['@', ' ']).unwrap_or(added.len());
    package.dependencies.insert(added[..name].to_owned(), added[name..].to_owned());
    Ok(())
}

fn joined(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}
