//! What a file looks like when some of its items are as in the new stage and the others still as in
//! the old one. Nothing is ever patched: a state is computed from the set of items that are done.
//!
//! No directive has to name a private `use`: which of them a state has is computed from what its code names.
//!
//! - A name that only the new stage imports comes with the first new item that says it; one that
//!   only the old stage imports goes with the last old item that does.
//! - What no code names (a trait that is used through its methods) comes with the first item of the
//!   file that is done, and goes with the last.
//! - A directive may ask for one earlier: `use std::thread`, or `use` for all of a file. What no code
//!   names goes earlier, too, if it asks.

use super::items::{Kind, Piece, is_body, last_name, split, split_renamed};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::{BTreeMap, BTreeSet};

/// The keys of the items of a file that are as in the new stage.
pub(super) type Done = BTreeSet<String>;

/// A file of two stages.
pub(super) struct FileChange {
    pub(super) slots: Vec<Slot>,
    /// How many blank lines are between two pieces that follow each other, in the new stage or else in the
    /// old one.
    gaps: BTreeMap<(String, String), usize>,
    /// What the old stage imports, and the new one.
    imports: [BTreeSet<String>; 2],
}

impl FileChange {
    /// Compares the two; a file that is not there has an empty text. `renames` has old and new names
    /// of items that are the same.
    ///
    /// # Errors
    /// If one is no Rust.
    pub(super) fn new(
        old: &str,
        new: &str,
        renames: Vec<(&str, &str)>,
    ) -> Result<FileChange, String> {
        let (old_pieces, new_pieces) = (split_renamed(old, &renames)?, split(new)?);
        let end = |piece: &Piece| end(piece.item(), piece.kind);
        let gap = |pair: &[Piece]| ((end(&pair[0]), end(&pair[1])), pair[1].blanks);
        let gaps = old_pieces.windows(2).chain(new_pieces.windows(2)).map(gap).collect();
        let imports = [&old_pieces, &new_pieces]
            .map(|pieces| pieces.iter().flat_map(|piece| piece.imports.clone()).collect());
        Ok(FileChange { slots: slots(old_pieces, new_pieces), gaps, imports })
    }

    /// The items that a move has to name, in the order of the file. Imports are computed; the first line of
    /// an `impl` comes with the members that change.
    pub(super) fn changed(&self) -> impl Iterator<Item = String> {
        let is_named = |slot: &&Slot| !matches!(slot.kind, Kind::Import | Kind::Open | Kind::Close);
        let changed = self.slots.iter().filter(is_named).filter(|slot| slot.is_changed());
        changed.map(|slot| slot.key.clone())
    }

    fn members<'a>(&'a self, slot: &'a Slot) -> impl Iterator<Item = &'a Slot> {
        let same = move |other: &&Slot| other.block == slot.block && slot.block.is_some();
        self.slots.iter().filter(same).filter(|s| matches!(s.kind, Kind::Item | Kind::Docs))
    }

    /// The names of the `impl` that an item is a member of, as in a directive.
    pub(super) fn parent(&self, key: &str) -> Option<&str> {
        let slot = self.slots.iter().find(|slot| slot.key == key && slot.kind != Kind::Open)?;
        Some(&self.slots[slot.block?].key)
    }

    /// The pieces that the state has, a place for each slot, each with the blank lines above it.
    pub(super) fn shown(&self, done: &Done) -> Vec<Option<String>> {
        let imports = self.imports(done);
        let mut before: Option<&Slot> = None;
        let shown = self.slots.iter().map(|slot| {
            let lines = match slot.kind {
                Kind::Import => self.import(slot, &imports)?,
                _ => self.lines(slot, done)?,
            };
            let blanks = before.map_or(0, |before| self.gap(before, slot));
            before = Some(slot);
            Some("\n".repeat(blanks) + &lines.join("\n") + "\n")
        });
        shown.collect()
    }

    /// What a state imports.
    fn imports(&self, done: &Done) -> BTreeSet<String> {
        let [old, new] = &self.imports;
        let is_all_done = self.changed().all(|key| done.contains(&key));
        let code = || self.slots.iter().filter(|slot| slot.kind != Kind::Import);
        let changed = || code().filter(|slot| slot.is_changed());
        let is_needed = |import: &&String| {
            let is_new = new.contains(*import);
            if is_all_done || is_new && old.contains(*import) {
                return is_new;
            }
            let name = last_name(import);
            let says = |slot: &Slot| {
                let piece = if is_new { &slot.new } else { &slot.old };
                piece.as_ref().is_some_and(|piece| piece.names.contains(&name))
            };
            if is_new && asked(done, import) {
                true
            } else if code().any(says) {
                changed().any(|slot| self.is_done(slot, done) == is_new && says(slot))
            } else if is_new {
                changed().any(|slot| self.is_done(slot, done))
            } else {
                !asked(done, import)
            }
        };
        old.union(new).filter(is_needed).cloned().collect()
    }

    /// The line of a slot when these are imported. What both stages import is where the new one has it.
    fn import(&self, slot: &Slot, imports: &BTreeSet<String>) -> Option<Vec<String>> {
        let of = |piece: &Option<Piece>| -> BTreeSet<String> {
            piece.iter().flat_map(|piece| piece.imports.clone()).collect()
        };
        let (old, new) = (of(&slot.old), of(&slot.new));
        let is_here = |import: &&String| {
            new.contains(*import) || old.contains(*import) && !self.imports[1].contains(*import)
        };
        let here: BTreeSet<String> = imports.iter().filter(is_here).cloned().collect();
        let piece = if *imports == self.imports[0] || here == old && here != new {
            &slot.old
        } else if here == new {
            &slot.new
        } else {
            return written(&slot.key, &here);
        };
        piece.as_ref().map(|piece| piece.lines.clone())
    }

    fn lines(&self, slot: &Slot, done: &Done) -> Option<Vec<String>> {
        if matches!(slot.kind, Kind::Open | Kind::Close)
            && !self.members(slot).any(|member| member.piece(done).is_some())
        {
            return None;
        }
        let piece = match slot.kind {
            // What encloses the rest of an `impl` that goes is old, although some of it is done.
            Kind::Open | Kind::Close if self.is_done(slot, done) => {
                slot.new.as_ref().or(slot.old.as_ref())
            }
            Kind::Open | Kind::Close => slot.old.as_ref().or(slot.new.as_ref()),
            _ => slot.piece(done),
        };
        piece.map(|piece| piece.lines.clone())
    }

    /// Whether a slot is as in the new stage; what encloses an `impl` is as soon as a member is.
    fn is_done(&self, slot: &Slot, done: &Done) -> bool {
        let is_enclosing = matches!(slot.kind, Kind::Open | Kind::Close);
        let changed = |member: &Slot| member.is_changed() && done.contains(&member.key);
        done.contains(&slot.key) || is_enclosing && self.members(slot).any(changed)
    }

    /// How many blank lines are between two slots that follow each other: as in the new stage if they
    /// do so there, or as in the old one.
    fn gap(&self, before: &Slot, slot: &Slot) -> usize {
        let pair = (end(before.item(), before.kind), end(slot.item(), slot.kind));
        if pair.0 == pair.1 {
            return 0;
        }
        self.gaps.get(&pair).copied().unwrap_or_else(|| {
            let is_list = before.kind == slot.kind && !is_body(slot.kind);
            usize::from(!is_list && before.kind != Kind::Open && slot.kind != Kind::Close)
        })
    }
}

/// A place in a file for a piece: the old or the new one, where there is one.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: String,
    pub(super) kind: Kind,
    /// The `impl` that it is part of, by the number of the slot with its first line.
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
fn slots(old: Vec<Piece>, new: Vec<Piece>) -> Vec<Slot> {
    let keys =
        |pieces: &[Piece]| pieces.iter().map(|p| (p.key.clone(), p.kind)).collect::<Vec<_>>();
    let ops = capture_diff_slices(Algorithm::Myers, &keys(&old), &keys(&new));
    let (mut old, mut new) = (old.into_iter(), new.into_iter());
    let (mut slots, mut block) = (Vec::new(), None);
    let mut push = |old: Option<Piece>, new: Option<Piece>| {
        let Some(Piece { key, kind, .. }) = new.as_ref().or(old.as_ref()) else { return };
        let (key, kind) = (key.clone(), *kind);
        if kind == Kind::Open {
            block = Some(slots.len());
        }
        slots.push(Slot { key, kind, block, old, new });
        if kind == Kind::Close {
            block = None;
        }
    };
    for op in ops {
        if let DiffOp::Equal { len, .. } = op {
            old.by_ref()
                .zip(new.by_ref())
                .take(len)
                .for_each(|(old, new)| push(Some(old), Some(new)));
            continue;
        }
        let mut new = new.by_ref().take(op.new_range().len()).peekable();
        for old in old.by_ref().take(op.old_range().len()) {
            while let Some(new) = new.next_if(|new| comes_before(new, &old)) {
                push(None, Some(new));
            }
            push(Some(old), None);
        }
        new.for_each(|new| push(None, Some(new)));
    }
    slots
}

/// A piece's item, and on which side of it others are: the lines that enclose an `impl` have two.
fn end(item: &str, kind: Kind) -> String {
    match kind {
        Kind::Open => format!("{item} {{"),
        Kind::Close => format!("}} {item}"),
        _ => item.to_owned(),
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

/// Whether a directive names an import, or what it is part of.
fn asked(done: &Done, import: &str) -> bool {
    done.iter().filter_map(|key| key.strip_prefix("use")).any(|path| {
        let path = path.trim_start();
        path.is_empty()
            || import.strip_prefix(path).is_some_and(|r| r.is_empty() || r.starts_with("::"))
    })
}

/// A `use` of these, as rustfmt writes it; none for no imports.
fn written(key: &str, imports: &BTreeSet<String>) -> Option<Vec<String>> {
    let prefix = key.strip_prefix("use ")?.split(' ').next()?;
    let inner = |import: &String| match import.strip_prefix(prefix) {
        Some("") => "self".to_owned(),
        Some(rest) => rest.trim_start_matches("::").to_owned(),
        None => import.clone(),
    };
    let mut names: Vec<String> = imports.iter().map(inner).collect();
    names.sort_by_key(|name| (!name.starts_with("self"), name.clone()));
    let line = match &names[..] {
        [] => return None,
        [name] => format!("use {prefix}::{name};"),
        _ => format!("use {prefix}::{{{}}};", names.join(", ")),
    };
    Some(vec![line])
}
