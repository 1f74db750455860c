//! Which private `use` lines a state has. No directive has to name them: they are computed from what
//! the code of the state names.
//!
//! - A name that only the new stage imports comes with the first new item that says it; one that
//!   only the old stage imports goes with the last old item that does.
//! - What no code names (a trait that is used through its methods) comes with the first item of the
//!   file that is done, and goes with the last.
//! - A directive may ask for one earlier: `use std::thread`, or `use` for all of a file. What no code
//!   names goes earlier, too, if it asks.

use super::file_change::{Done, Slot};
use super::items::{Import, Kind, Piece};
use std::collections::BTreeSet;

type Paths = BTreeSet<Import>;

/// The imports of a file in two stages.
pub(super) struct Imports {
    old: Paths,
    new: Paths,
}

impl Imports {
    pub(super) fn new(slots: &[Slot]) -> Imports {
        let all = |side: fn(&Slot) -> Paths| slots.iter().flat_map(side).collect();
        Imports { old: all(old), new: all(new) }
    }

    /// The lines of each slot in a state; none for those that are no `use`. One that both stages
    /// import is where the new one has it.
    pub(super) fn state(
        &self,
        slots: &[Slot],
        done: &Done,
        is_done: &dyn Fn(&Slot) -> bool,
        is_all_done: bool,
    ) -> Vec<Option<Vec<String>>> {
        let needed = self.needed(slots, done, is_done, is_all_done);
        let lines = |slot: &Slot| {
            let (old, new) = (old(slot), new(slot));
            let goes_here = |import: &&Import| {
                new.contains(import) || old.contains(import) && !self.new.contains(import)
            };
            let here: Paths = needed.iter().filter(goes_here).cloned().collect();
            let piece = if needed == self.old || here == old && here != new {
                &slot.old
            } else if here == new {
                &slot.new
            } else {
                return written(&slot.key, &here);
            };
            piece.as_ref().map(|piece| piece.lines.clone())
        };
        slots.iter().map(|slot| lines(slot).filter(|_| slot.kind == Kind::Import)).collect()
    }

    fn needed(
        &self,
        slots: &[Slot],
        done: &Done,
        is_done: &dyn Fn(&Slot) -> bool,
        is_all_done: bool,
    ) -> Paths {
        let changed = || slots.iter().filter(|s| s.kind != Kind::Import && s.is_changed());
        let says = |piece: &Option<_>, name: &str| {
            piece.as_ref().is_some_and(|piece: &Piece| piece.names.contains(name))
        };
        let new_says = |name: &str| changed().any(|s| is_done(s) && says(&s.new, name));
        let old_says = |name: &str| changed().any(|s| !is_done(s) && says(&s.old, name));
        // Whether the code of a stage says the name of an import at all.
        let is_said = |name: &str, side: fn(&Slot) -> &Option<Piece>| {
            slots.iter().any(|s| s.kind != Kind::Import && says(side(s), name))
        };
        let comes = |import: &&Import| match &import.name {
            _ if is_all_done || asked(done, import) => true,
            Some(name) if is_said(name, |slot| &slot.new) => new_says(name),
            _ => changed().any(is_done),
        };
        let stays = |import: &&Import| match &import.name {
            _ if is_all_done => false,
            Some(name) if is_said(name, |slot| &slot.old) => old_says(name),
            _ => !asked(done, import),
        };
        let both = self.old.intersection(&self.new);
        let added = self.new.difference(&self.old).filter(comes);
        both.chain(added).chain(self.old.difference(&self.new).filter(stays)).cloned().collect()
    }
}

fn old(slot: &Slot) -> Paths {
    slot.old.iter().flat_map(|piece| piece.imports.clone()).collect()
}

fn new(slot: &Slot) -> Paths {
    slot.new.iter().flat_map(|piece| piece.imports.clone()).collect()
}

/// Whether a directive names an import, or what it is part of.
fn asked(done: &Done, import: &Import) -> bool {
    done.iter().filter_map(|key| key.strip_prefix("use")).any(|path| {
        let path = path.trim_start();
        path.is_empty()
            || import.path.strip_prefix(path).is_some_and(|r| r.is_empty() || r.starts_with("::"))
    })
}

/// A `use` of these, as rustfmt writes it; none for no imports.
fn written(key: &str, imports: &Paths) -> Option<Vec<String>> {
    let prefix = key.strip_prefix("use ")?.split(' ').next()?;
    let inner = |import: &Import| match import.path.strip_prefix(prefix) {
        Some(rest) => match rest.strip_prefix("::") {
            Some(name) => name.to_owned(),
            None => format!("self{rest}"),
        },
        None => import.path.clone(),
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
