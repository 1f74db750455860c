//! What a file looks like when some of its items are as in the new stage and the others still as in
//! the old one. Nothing is ever patched: a state is computed from the set of items that are done.

use super::imports::Imports;
use super::items::{Kind, Piece, is_body, split};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::{BTreeMap, BTreeSet};

/// The keys of the items of a file that are as in the new stage.
pub(super) type Done = BTreeSet<String>;

/// A place in a file for a piece: the old or the new one, where there is one.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: String,
    pub(super) kind: Kind,
    /// The `impl` that it is part of, by a number.
    pub(super) block: Option<usize>,
    pub(super) old: Option<Piece>,
    pub(super) new: Option<Piece>,
}

impl Slot {
    pub(super) fn is_changed(&self) -> bool {
        let lines = |piece: &Option<Piece>| piece.as_ref().map(|piece| piece.lines.clone());
        lines(&self.old) != lines(&self.new)
    }

    pub(super) fn item(&self) -> &str {
        self.key.strip_suffix(".docs").unwrap_or(&self.key)
    }
}

/// A piece as it is in some state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) blanks: usize,
    pub(super) lines: Vec<String>,
}

impl Shown {
    pub(super) fn text(&self) -> String {
        "\n".repeat(self.blanks) + &self.lines.join("\n") + "\n"
    }
}

/// A file of two stages.
pub(super) struct FileChange {
    pub(super) slots: Vec<Slot>,
    imports: Imports,
    /// How many blank lines are between two pieces that follow each other.
    old_gaps: Gaps,
    new_gaps: Gaps,
}

type Gaps = BTreeMap<(String, String), usize>;

impl FileChange {
    /// Compares the two; a file that is not there has an empty text.
    ///
    /// # Errors
    /// If one is no Rust, or if it could not be put together again from its pieces.
    pub(super) fn new(old: &str, new: &str) -> Result<FileChange, String> {
        let (old_pieces, new_pieces) = (split(old)?, split(new)?);
        let (old_gaps, new_gaps) = (gaps(&old_pieces), gaps(&new_pieces));
        let mut slots = Vec::new();
        merge(groups(old_pieces), groups(new_pieces), &mut slots);
        let imports = Imports::new(&slots);
        let change = FileChange { slots, imports, old_gaps, new_gaps };
        for (done, text) in [(Done::new(), old), (change.changed().collect(), new)] {
            let state = change.text(&done);
            if state != text {
                let same = state.lines().zip(text.lines()).take_while(|(a, b)| a == b).count();
                return Err(format!("its pieces don't make up the file, line {}", same + 1));
            }
        }
        Ok(change)
    }

    /// The items that a move has to name, in the order of the file. Imports are computed, unless
    /// nothing else changes; the first line of an `impl` comes with the members that change.
    pub(super) fn changed(&self) -> impl Iterator<Item = String> {
        let named = |slot: &&Slot| match slot.kind {
            Kind::Import | Kind::Close => false,
            Kind::Open => slot.is_changed() && !self.has_changed_member(slot),
            _ => slot.is_changed(),
        };
        let mut keys: Vec<String> = Vec::new();
        for slot in self.slots.iter().filter(named) {
            if !keys.contains(&slot.key) {
                keys.push(slot.key.clone());
            }
        }
        if keys.is_empty() && self.slots.iter().any(Slot::is_changed) {
            keys.push("use".to_owned());
        }
        keys.into_iter()
    }

    fn members<'a>(&'a self, slot: &'a Slot) -> impl Iterator<Item = &'a Slot> {
        let same = move |other: &&Slot| other.block == slot.block && slot.block.is_some();
        self.slots.iter().filter(same).filter(|s| matches!(s.kind, Kind::Item | Kind::Docs))
    }

    fn has_changed_member(&self, slot: &Slot) -> bool {
        self.members(slot).any(Slot::is_changed)
    }

    /// The names of the `impl` that an item is a member of, as in a directive.
    pub(super) fn parent(&self, key: &str) -> Option<&str> {
        let slot = self.slots.iter().find(|slot| slot.key == key && slot.kind != Kind::Open)?;
        self.head(slot.block?)
    }

    /// The name of an `impl` by its number.
    pub(super) fn head(&self, block: usize) -> Option<&str> {
        let open = |slot: &&Slot| slot.block == Some(block) && slot.kind == Kind::Open;
        self.slots.iter().find(open).map(|slot| slot.key.as_str())
    }

    /// The pieces that the state has, a place for each slot.
    pub(super) fn shown(&self, done: &Done) -> Vec<Option<Shown>> {
        let is_all_done = self.changed().all(|key| done.contains(&key));
        let is_done = |slot: &Slot| self.is_done(slot, done);
        let imports = self.imports.state(&self.slots, done, &is_done, is_all_done);
        let mut shown: Vec<Option<Shown>> = Vec::new();
        let mut before: Option<&Slot> = None;
        for (slot, import) in self.slots.iter().zip(imports) {
            let lines = match slot.kind {
                Kind::Import => import,
                _ => self.lines(slot, done),
            };
            shown.push(lines.map(|lines| {
                let blanks = before.map_or(0, |before| self.gap(before, slot, done));
                before = Some(slot);
                Shown { blanks, lines }
            }));
        }
        shown
    }

    /// The text of the state; empty if the file is not there.
    pub(super) fn text(&self, done: &Done) -> String {
        self.shown(done).iter().flatten().map(Shown::text).collect()
    }

    fn lines(&self, slot: &Slot, done: &Done) -> Option<Vec<String>> {
        if matches!(slot.kind, Kind::Open | Kind::Close)
            && !self.members(slot).any(|member| piece(member, done).is_some())
        {
            return None;
        }
        let piece = match slot.kind {
            // What encloses the rest of an `impl` that goes is old, although some of it is done.
            Kind::Open | Kind::Close if self.is_done(slot, done) => {
                slot.new.as_ref().or(slot.old.as_ref())
            }
            Kind::Open | Kind::Close => slot.old.as_ref().or(slot.new.as_ref()),
            _ => piece(slot, done),
        };
        piece.map(|piece| piece.lines.clone())
    }

    /// Whether a slot is as in the new stage; what encloses an `impl` is as soon as a member is.
    fn is_done(&self, slot: &Slot, done: &Done) -> bool {
        let is_enclosing = matches!(slot.kind, Kind::Open | Kind::Close);
        let changed = |member: &Slot| member.is_changed() && done.contains(&member.key);
        done.contains(&slot.key) || is_enclosing && self.members(slot).any(changed)
    }

    /// How many blank lines are between two slots that follow each other in this state: as in the
    /// new stage if they do so there, or as in the old one.
    fn gap(&self, before: &Slot, slot: &Slot, done: &Done) -> usize {
        let pair = (end(before.item(), before.kind), end(slot.item(), slot.kind));
        if pair.0 == pair.1 {
            return 0;
        }
        let is_old = |slot: &Slot| slot.is_changed() && !done.contains(&slot.key);
        let [first, second] = if is_old(before) || is_old(slot) {
            [&self.old_gaps, &self.new_gaps]
        } else {
            [&self.new_gaps, &self.old_gaps]
        };
        let known = first.get(&pair).or_else(|| second.get(&pair));
        known.copied().unwrap_or_else(|| {
            let is_list = before.kind == slot.kind && !is_body(slot.kind);
            usize::from(!is_list && before.kind != Kind::Open && slot.kind != Kind::Close)
        })
    }
}

/// The piece that a slot has in some state.
fn piece<'a>(slot: &'a Slot, done: &Done) -> Option<&'a Piece> {
    if done.contains(&slot.key) || !slot.is_changed() {
        slot.new.as_ref()
    } else {
        slot.old.as_ref()
    }
}

/// What tells the neighbours of a gap: an item with or without its documentation is the same one.
fn end(item: &str, kind: Kind) -> String {
    match kind {
        Kind::Open => format!("{item} {{"),
        Kind::Close => format!("}} {item}"),
        _ => item.to_owned(),
    }
}

fn gaps(pieces: &[Piece]) -> Gaps {
    let end = |piece: &Piece| end(piece.item(), piece.kind);
    pieces.windows(2).map(|pair| ((end(&pair[0]), end(&pair[1])), pair[1].blanks)).collect()
}

/// Pieces that stay together: an item with its documentation, or an `impl` with its members.
type Group = Vec<Piece>;

fn groups(pieces: Vec<Piece>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut is_open = false;
    for piece in pieces {
        let follows = |last: &Group| last.last().is_some_and(|last| last.item() == piece.item());
        let kind = piece.kind;
        match groups.last_mut().filter(|last| is_open || follows(last)) {
            Some(last) => last.push(piece),
            None => groups.push(vec![piece]),
        }
        is_open = (is_open || kind == Kind::Open) && kind != Kind::Close;
    }
    groups
}

/// The slots of both in the order of the new ones; what is only old comes after what it followed.
fn merge(old: Vec<Group>, new: Vec<Group>, slots: &mut Vec<Slot>) {
    let key = |group: &Group| end(group[0].item(), group[0].kind);
    let keys = |groups: &[Group]| groups.iter().map(key).collect::<Vec<_>>();
    let ops = capture_diff_slices(Algorithm::Myers, &keys(&old), &keys(&new));
    let (mut old, mut new) = (old.into_iter(), new.into_iter());
    for op in ops {
        if let DiffOp::Equal { len, .. } = op {
            for (old, new) in old.by_ref().zip(new.by_ref()).take(len) {
                merge_group(old, new, slots);
            }
            continue;
        }
        let mut old = old.by_ref().take(op.old_range().len()).peekable();
        let mut new = new.by_ref().take(op.new_range().len()).peekable();
        loop {
            let is_next_new = match (old.peek(), new.peek()) {
                (Some(old), Some(new)) => comes_before(&new[0], &old[0]),
                _ => false,
            };
            match if is_next_new { None } else { old.next() } {
                Some(old) => merge_group(old, Vec::new(), slots),
                None => match new.next() {
                    Some(new) => merge_group(Vec::new(), new, slots),
                    None => break,
                },
            }
        }
    }
}

/// Whether a new piece is put before an old one that neither has to do with: modules go before
/// imports, and imports are sorted, in every state.
fn comes_before(new: &Piece, old: &Piece) -> bool {
    let order = [Kind::FileDocs, Kind::Module, Kind::Reexport, Kind::Import];
    let place =
        |piece: &Piece| order.iter().position(|kind| *kind == piece.kind).unwrap_or(order.len());
    place(new) < place(old)
        || new.kind == Kind::Import && old.kind == Kind::Import && new.lines < old.lines
}

fn merge_group(mut old: Group, mut new: Group, slots: &mut Vec<Slot>) {
    let is_block = |group: &Group| group.first().is_some_and(|first| first.kind == Kind::Open);
    if !is_block(&old) && !is_block(&new) {
        for kind in [Kind::Docs, Kind::Item] {
            let of_kind = |group: &mut Group| {
                let at = group.iter().position(|p| (p.kind == Kind::Docs) == (kind == Kind::Docs));
                at.map(|at| group.remove(at))
            };
            push(of_kind(&mut old), of_kind(&mut new), None, slots);
        }
        return;
    }
    let block = Some(slots.len());
    let ends = |group: &mut Group| {
        if !is_block(group) {
            return (None, None);
        }
        (Some(group.remove(0)), group.pop())
    };
    let ((old_open, old_close), (new_open, new_close)) = (ends(&mut old), ends(&mut new));
    push(old_open, new_open, block, slots);
    let first = slots.len();
    merge(groups(old), groups(new), slots);
    for slot in &mut slots[first..] {
        slot.block = block;
    }
    push(old_close, new_close, block, slots);
}

fn push(old: Option<Piece>, new: Option<Piece>, block: Option<usize>, slots: &mut Vec<Slot>) {
    if let Some(piece) = new.as_ref().or(old.as_ref()) {
        let (key, kind) = (piece.key.clone(), piece.kind);
        slots.push(Slot { key, kind, block, old, new });
    }
}
