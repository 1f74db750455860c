//! Puts the pieces of a file's two versions side by side.

use super::file_change::Done;
use super::items::{Kind, Piece};
use similar::{Algorithm, DiffOp, capture_diff_slices};

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

    /// What it has in some state; an `impl` is taken apart from that.
    pub(super) fn piece(&self, done: &Done) -> Option<&Piece> {
        let is_new = done.contains(&self.key) || !self.is_changed();
        if is_new { self.new.as_ref() } else { self.old.as_ref() }
    }

    pub(super) fn item(&self) -> &str {
        self.key.strip_suffix(".docs").unwrap_or(&self.key)
    }
}

/// The slots of two versions in the order of the new one; what is only old comes after what it
/// followed. What has moved has two, one in each place.
pub(super) fn slots(old: Vec<Piece>, new: Vec<Piece>) -> Vec<Slot> {
    let mut slots = Vec::new();
    merge(groups(old), groups(new), &mut slots);
    slots
}

/// A piece's item, and on which side of it others are: the lines that enclose an `impl` have two.
pub(super) fn end(item: &str, kind: Kind) -> String {
    match kind {
        Kind::Open => format!("{item} {{"),
        Kind::Close => format!("}} {item}"),
        _ => item.to_owned(),
    }
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
        let mut new = new.by_ref().take(op.new_range().len()).peekable();
        for old in old.by_ref().take(op.old_range().len()) {
            while let Some(new) = new.next_if(|new| comes_before(&new[0], &old[0])) {
                merge_group(Vec::new(), new, slots);
            }
            merge_group(old, Vec::new(), slots);
        }
        new.for_each(|new| merge_group(Vec::new(), new, slots));
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
