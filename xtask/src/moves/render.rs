//! Writes what a reader has to type to bring a file from one state to the next.
//!
//! What is new as a whole is a `rust` fence, and its caption says where it goes. All else is a `diff`
//! fence with three lines around each change, and ` …` for the lines between them; it begins with the
//! item's first line if it would else begin within it. Of a long deletion it has the first and the
//! last lines, with `- …` between. The fences of a move are in the order of the file, and each takes
//! for granted that those before it were typed.

use super::file_change::{Done, FileChange, Slot};
use super::items::{Kind, is_body};
use similar::{ChangeTag, TextDiff};

const CONTEXT: usize = 3;
/// Of a longer deletion only the ends are printed.
const LONGEST_DELETION: usize = 10;

/// A line of the file that stays, comes or goes.
#[derive(Debug, Clone)]
struct Op {
    tag: ChangeTag,
    text: String,
    slot: usize,
}

/// A piece of what is rendered.
enum Part {
    /// Slots that come as a whole, from the first to the last.
    Whole(usize, usize),
    /// Changed lines, by their numbers.
    Lines(Vec<usize>),
}

/// The file of a move, in the state before and after it.
struct Step<'a> {
    change: &'a FileChange,
    before: Vec<Option<String>>,
    after: Vec<Option<String>>,
    ops: Vec<Op>,
    /// The file as the text links to it.
    link: String,
}

/// The captions and fences of a move to the stage in `dir`.
pub(super) fn render(
    change: &FileChange,
    [before, after]: [&Done; 2],
    file: &str,
    dir: &str,
) -> String {
    let (before, after) = (change.shown(before), change.shown(after));
    let link = format!("[`{file}`]({dir}/{file})");
    let ops = ops(&before, &after);
    let step = Step { change, before, after, ops, link };
    let parts: Vec<String> = step.parts().iter().map(|part| step.part(part)).collect();
    parts.join("\n")
}

/// The difference of two states, taken within each item.
fn ops(before: &[Option<String>], after: &[Option<String>]) -> Vec<Op> {
    let mut ops = Vec::new();
    for (slot, (old, new)) in before.iter().zip(after).enumerate() {
        let [old, new] = [old, new].map(|side| side.as_deref().unwrap_or_default());
        ops.extend(TextDiff::from_lines(old, new).iter_all_changes().map(|line| {
            let text = line.value().trim_end_matches('\n').to_owned();
            Op { tag: line.tag(), text, slot }
        }));
    }
    ops
}

/// Where lines come or go at the start of an item, the blank line above stays, although it was above
/// another line.
fn keep_blanks(ops: &mut Vec<Op>) {
    let mut at = 0;
    while at < ops.len() {
        let tag = ops[at].tag;
        let next = at + ops[at..].iter().take_while(|op| op.tag == tag).count();
        let moves = |op: &Op| op.text.is_empty() && op.tag != ChangeTag::Equal;
        if moves(&ops[at]) && ops.get(next).is_some_and(moves) {
            ops[at].tag = ChangeTag::Equal;
            ops.remove(next);
        }
        at = next;
    }
}

impl Step<'_> {
    fn slots(&self) -> &[Slot] {
        &self.change.slots
    }

    fn is_new_file(&self) -> bool {
        self.before.iter().all(Option::is_none)
    }

    /// Whether a slot comes with its item, and not only a new documentation.
    fn comes(&self, at: usize) -> bool {
        let is_fresh = |at: usize| self.before[at].is_none() && self.after[at].is_some();
        let item = |(other, slot): (usize, &Slot)| {
            slot.item() == self.slots()[at].item() && slot.kind != Kind::Docs && is_fresh(other)
        };
        is_fresh(at)
            && (self.is_new_file()
                || is_body(self.slots()[at].kind) && self.slots().iter().enumerate().any(item))
    }

    fn goes(&self, at: usize) -> bool {
        self.before[at].is_some() && self.after[at].is_none() && is_body(self.slots()[at].kind)
    }

    /// The `impl` that a slot comes into; none for what brings it along, or takes it away.
    fn container(&self, at: usize) -> Option<usize> {
        let open = self.slots()[at].block?;
        (self.before[open].is_some() && self.after[open].is_some()).then_some(open)
    }

    fn seen(&self, at: usize) -> bool {
        self.before[at].is_some() || self.after[at].is_some()
    }

    fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut at = 0;
        let mut op = 0;
        while at < self.slots().len() {
            // What comes together is one part.
            let following = (at + 1..self.slots().len()).filter(|at| self.seen(*at));
            let last = following.take_while(|next| self.comes(at) && self.comes(*next)).last();
            let last = last.unwrap_or(at);
            // What comes in the place of something is a change, and shown as one.
            let is_change = (0..at).rev().find(|at| self.seen(*at)).is_some_and(|at| self.goes(at));
            let is_whole = self.comes(at) && !is_change;
            let end = op + self.ops[op..].iter().take_while(|op| op.slot <= last).count();
            if is_whole {
                parts.push(Part::Whole(at, last));
            } else {
                let changed = (op..end).filter(|op| self.ops[*op].tag != ChangeTag::Equal);
                match parts.last_mut() {
                    Some(Part::Lines(lines)) => lines.extend(changed),
                    _ => parts.push(Part::Lines(changed.collect())),
                }
            }
            (at, op) = (last + 1, end);
        }
        parts.retain(|part| !matches!(part, Part::Lines(lines) if lines.is_empty()));
        parts
    }

    fn part(&self, part: &Part) -> String {
        match part {
            Part::Whole(first, last) => self.whole(*first, *last),
            Part::Lines(lines) => {
                let lines_of_code = lines.iter().filter(|op| !self.ops[**op].text.is_empty());
                let names = self.names(lines_of_code.map(|op| self.ops[*op].slot));
                let hunks = self.hunks(lines);
                format!("{}, {}:\n\n```diff\n{hunks}```\n", self.link, listed(&names))
            }
        }
    }

    fn whole(&self, first: usize, last: usize) -> String {
        let code: String = self.after[first..=last].iter().flatten().map(String::as_str).collect();
        let code = code.trim_start_matches('\n');
        format!("{}, {}:\n\n```rust\n{code}```\n", self.link, self.place(first, last))
    }

    /// Where new slots go.
    fn place(&self, first: usize, last: usize) -> String {
        if self.is_new_file() {
            return "a new file".to_owned();
        }
        let previous = (0..first).rev().find(|at| self.after[*at].is_some());
        let previous = previous.map(|at| &self.slots()[at]);
        let after = match previous {
            Some(Slot { kind: Kind::Open, .. }) | None => "at the start".to_owned(),
            Some(slot) if is_body(slot.kind) => {
                let name = slot.item();
                let is_member = self.container(first).is_some();
                let short = if is_member { name.rsplit("::").next().unwrap_or(name) } else { name };
                format!("after `{short}`")
            }
            Some(_) => "after the imports".to_owned(),
        };
        match self.container(first) {
            Some(open) => format!("in `{}`, {after}", self.slots()[open].key),
            None if self.before[last + 1..].iter().all(Option::is_none) => "at the end".to_owned(),
            None => after,
        }
    }

    /// What a caption calls these slots. An `impl` that goes stands for its members.
    fn names(&self, slots: impl Iterator<Item = usize>) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for at in slots {
            let slot = &self.slots()[at];
            let is_within = self.goes(at) && slot.block.is_some() && self.container(at).is_none();
            let name = match slot.kind {
                Kind::Item | Kind::Docs if is_within => continue,
                Kind::Import => "the imports".to_owned(),
                Kind::FileDocs => "the first lines".to_owned(),
                _ => format!("`{}`", slot.item()),
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The lines as they are when those of the parts before are typed and those after are not.
    fn view(&self, lines: &[usize]) -> Vec<Op> {
        let [first, last] = [lines.first(), lines.last()].map(|at| at.copied().unwrap_or_default());
        let view = self.ops.iter().enumerate().filter_map(|(at, op)| {
            let skipped = if at < first { ChangeTag::Delete } else { ChangeTag::Insert };
            match (first..=last).contains(&at) {
                true => Some(op.clone()),
                false if op.tag == skipped => None,
                false => Some(Op { tag: ChangeTag::Equal, ..op.clone() }),
            }
        });
        view.collect()
    }

    fn hunks(&self, lines: &[usize]) -> String {
        let mut view = self.view(lines);
        keep_blanks(&mut view);
        let changed: Vec<usize> =
            (0..view.len()).filter(|at| view[*at].tag != ChangeTag::Equal).collect();
        let mut text = String::new();
        let mut end = 0;
        for hunk in changed.chunk_by(|a, b| b - a <= 2 * CONTEXT + 1) {
            let (first, last) = (hunk[0], hunk[hunk.len() - 1]);
            let is_blank = |at: &usize| view[*at].text.is_empty();
            let start = first.saturating_sub(CONTEXT).max(end);
            let start = start + (start..first).take_while(is_blank).count();
            let stop = (last + 1 + CONTEXT).min(view.len());
            let stop = stop - (last + 1..stop).rev().take_while(is_blank).count();
            let signature = self.signature(&view, first).filter(|at| (end..start).contains(at));
            let (signature, start) = match signature {
                Some(at) if at + CONTEXT >= start => (None, at),
                signature => (signature.map(|at| at..at + 1), start),
            };
            for shown in signature.into_iter().chain(std::iter::once(start..stop)) {
                if !text.is_empty() && shown.start > end {
                    text += " …\n";
                }
                end = shown.end;
                let parts = view[shown].chunk_by(|a, b| a.tag == b.tag);
                text.extend(parts.map(printed));
            }
        }
        text
    }

    /// The first line of the item that a line is in, without its attributes.
    fn signature(&self, view: &[Op], at: usize) -> Option<usize> {
        let slot = view[at].slot;
        let is_code =
            |op: &Op| !op.text.is_empty() && !op.text.trim_start().starts_with(['#', '/']);
        (self.slots()[slot].kind == Kind::Item)
            .then(|| view.iter().position(|op| op.slot == slot && is_code(op)))?
    }
}

/// Lines with their sign. Of a long deletion the first two, and as many of the last as tell where it ends.
fn printed(lines: &[Op]) -> String {
    let all = |lines: &[Op]| -> String {
        lines
            .iter()
            .map(|op| format!("{}{}", op.tag, op.text).trim_end().to_owned() + "\n")
            .collect()
    };
    if lines.len() <= LONGEST_DELETION || lines[0].tag != ChangeTag::Delete {
        return all(lines);
    }
    let (start, rest) = lines.split_at(2);
    let is_found_first = |at: &usize| {
        let is_end = |lines: &[Op]| lines.iter().zip(&rest[*at..]).all(|(a, b)| a.text == b.text);
        rest.windows(rest.len() - at).position(is_end) == Some(*at)
    };
    match (0..rest.len()).rev().find(is_found_first) {
        Some(end) if end > 0 => all(start) + "- …\n" + &all(&rest[end..]),
        _ => all(lines),
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [name] => name.clone(),
        [names @ .., last] => format!("{} and {last}", names.join(", ")),
    }
}
