//! Types a move as a reader would: from the captions and the fences alone, with nothing that the
//! generator knows of the stages. What the text does not say is missing here too.

use super::items::{Kind, Piece, split};
use super::package::Package;
use crate::text::{fences, prose};
use std::collections::BTreeMap;

/// Types what the generated text of one move says.
///
/// # Errors
/// If the text leaves open what is to be done.
pub(super) fn type_in(package: &mut Package, body: &str) -> Result<(), String> {
    let mut said = prose(body).filter(|(.., words)| !words.is_empty()).peekable();
    for fence in fences(body) {
        let caption = said.next_if(|(line, ..)| *line < fence.line).and_then(|(.., words)| {
            let (file, rest) = words.strip_prefix("[`")?.split_once("`](")?;
            Some((file, rest.split_once(')')?.1.trim_matches([',', ' ', ':'])))
        });
        let lines: Vec<&str> = fence.text.lines().collect();
        match (fence.language, caption) {
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
    let rest = said.next().map(|(.., words)| format!("`{words}`: what is to be done?"));
    rest.map_or(Ok(()), Err)
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
    let at = line_after(text, place)?;
    let mut lines: Vec<&str> = text.lines().collect();
    let (above, below) =
        if place.ends_with("at the start") { (None, Some("")) } else { (Some(""), None) };
    lines.splice(at..at, above.into_iter().chain(code.iter().copied()).chain(below));
    *text = joined(&lines);
    Ok(())
}

/// The number of the line that new code follows.
fn line_after(text: &str, place: &str) -> Result<usize, String> {
    let pieces = split(text)?;
    let last_of = |item: &str| pieces.iter().rposition(|piece| piece.item() == item);
    let named: Vec<&str> = place.split('`').skip(1).step_by(2).collect();
    let at = match named[..] {
        [] if place == "at the end" => Some(pieces.len() - 1),
        [] => pieces.iter().rposition(|piece| piece.kind == Kind::Import),
        [block] if place.ends_with("at the start") => {
            pieces.iter().position(|piece| piece.item() == block)
        }
        [block, member] => last_of(block).and_then(|end| {
            let is_it = |piece: &Piece| piece.item().rsplit("::").next() == Some(member);
            pieces[..end].iter().rposition(is_it)
        }),
        [item, ..] => last_of(item),
    };
    let at = at.ok_or_else(|| format!("`{place}`: where is this?"))?;
    Ok(pieces[..=at].iter().map(|piece| piece.blanks + piece.lines.len()).sum())
}

/// Runs `cargo add`.
fn run(package: &mut Package, line: &str) -> Result<(), String> {
    let added = line.strip_prefix("$ cargo add ").ok_or(format!("`{line}`: what does it do?"))?;
    let name = added.find(['@', ' ']).unwrap_or(added.len());
    package.dependencies.insert(added[..name].to_owned(), added[name..].to_owned());
    Ok(())
}

fn joined(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}
