//! What a power loss takes: the changes since the start, and which of them survive.

use rand::{Rng, RngExt};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::PathBuf;

/// A file, whatever its names.
pub(super) type FileId = usize;

/// A directory, wherever it is.
pub(super) type DirId = usize;

/// A name in a directory.
pub(super) type Name = (DirId, String);

/// What is on a disk.
#[derive(Clone, Default)]
pub(super) struct Content {
    /// Where the directories are. What was moved or deleted stays so: it is not the store's to sync.
    pub(super) dirs: BTreeMap<PathBuf, DirId>,
    pub(super) names: BTreeMap<Name, FileId>,
    pub(super) files: Vec<Vec<u8>>,
    /// Of some files, what was on its way when the power failed. Bytes behind the file's end nobody
    /// sees; but where the file grows and the power fails again, they can be there in the place of
    /// what was written. A file system clears them when the file is truncated or extended by itself.
    pub(super) behind: HashMap<FileId, Vec<u8>>,
}

/// An operation that changed something.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { file: FileId, offset: u64, bytes: Vec<u8> },
    SetLen { file: FileId, len: u64 },
    Sync { file: FileId },
    Name { name: Name, file: Option<FileId> },
    Rename { from: Name, to: Name, file: FileId },
    SyncDir { dir: DirId },
    Dir { path: PathBuf, dir: Option<DirId> },
}

impl Content {
    /// The bytes of a file, which is made if need be.
    pub(super) fn file(&mut self, file: FileId) -> &mut Vec<u8> {
        if self.files.len() <= file {
            self.files.resize(file + 1, Vec::new());
        }
        &mut self.files[file]
    }

    /// Makes a file at least so long. What is new is as it was on the disk.
    fn grow(&mut self, file: FileId, len: u64) {
        let (len, old) = (len as usize, self.file(file).len());
        if let Some(behind) = self.behind.get(&file).and_then(|behind| behind.get(old..)) {
            let behind = behind[..behind.len().min(len.saturating_sub(old))].to_vec();
            self.file(file).extend(behind);
        }
        if self.file(file).len() < len {
            self.file(file).resize(len, 0);
        }
    }

    fn write(&mut self, file: FileId, offset: u64, bytes: &[u8]) {
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        self.grow(file, offset);
        let content = self.file(file);
        content.resize(content.len().max(end), 0);
        content[start..end].copy_from_slice(bytes);
    }

    /// Does what a change says, in full.
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { file, offset, bytes } => self.write(*file, *offset, bytes),
            Change::SetLen { file, len } => {
                self.file(*file).resize(*len as usize, 0);
                self.behind.remove(file);
            }
            Change::Name { name, file: Some(file) } => {
                self.file(*file);
                self.names.insert(name.clone(), *file);
            }
            Change::Name { name, file: None } => drop(self.names.remove(name)),
            Change::Rename { from, to, file } => {
                self.names.remove(from);
                self.names.insert(to.clone(), *file);
            }
            Change::Dir { path, dir: Some(dir) } => drop(self.dirs.insert(path.clone(), *dir)),
            Change::Dir { path, dir: None } => drop(self.dirs.remove(path)),
            Change::Sync { .. } | Change::SyncDir { .. } => {}
        }
    }
}

/// Whether all of these changes are durable.
pub(super) fn is_durable(done: &[Change]) -> bool {
    let keep = Keep::new(done, None);
    done.iter().enumerate().all(|(number, change)| match change {
        Change::Write { file, .. } | Change::SetLen { file, .. } => keep.is_synced(number, *file),
        Change::Name { name, .. } | Change::Rename { to: name, .. } => keep.is_named(number, name),
        Change::Sync { .. } | Change::SyncDir { .. } | Change::Dir { .. } => true,
    })
}

/// What there is after some changes to `base` and a power loss.
pub(super) fn lose(base: &Content, done: &[Change], choices: &mut dyn Rng) -> Content {
    let mut kept = replay(base, done, Some(choices));
    for (file, bytes) in replay(base, done, None).files.into_iter().enumerate() {
        // The bytes may have been durable sooner than the length.
        if bytes.len() > kept.file(file).len() && choices.random_range(0..2) == 0 {
            kept.behind.insert(file, bytes);
        }
    }
    kept
}

/// What there is after some changes to `base`, or what choices make of them.
pub(super) fn replay<'a>(
    base: &Content,
    done: &'a [Change],
    choices: Option<&'a mut dyn Rng>,
) -> Content {
    let mut content = base.clone();
    let mut keep = Keep::new(done, choices);
    for (number, change) in done.iter().enumerate() {
        match change {
            Change::Write { file, offset, bytes } => {
                let (lost, grows) = keep.lost(number, *file, bytes.len());
                for part in [0..lost.start, lost.end..bytes.len()] {
                    if !part.is_empty() {
                        content.write(*file, *offset + part.start as u64, &bytes[part]);
                    }
                }
                if grows {
                    content.grow(*file, *offset + bytes.len() as u64);
                }
            }
            Change::SetLen { file, .. } if !keep.keeps(keep.is_synced(number, *file)) => {}
            // A rename is one step: both names or none.
            Change::Name { name, .. } | Change::Rename { to: name, .. }
                if !keep.keeps(keep.is_named(number, name)) => {}
            change => content.apply(change),
        }
    }
    content
}

/// Decides what survives.
struct Keep<'a> {
    /// For each file the number of its last sync; what came before it is durable.
    file_syncs: HashMap<FileId, usize>,
    /// For each directory likewise.
    dir_syncs: HashMap<DirId, usize>,
    choices: Option<&'a mut dyn Rng>,
}

impl<'a> Keep<'a> {
    fn new(done: &'a [Change], choices: Option<&'a mut dyn Rng>) -> Keep<'a> {
        let mut keep = Keep { file_syncs: HashMap::new(), dir_syncs: HashMap::new(), choices };
        for (number, change) in done.iter().enumerate() {
            match change {
                Change::Sync { file } => drop(keep.file_syncs.insert(*file, number)),
                Change::SyncDir { dir } => drop(keep.dir_syncs.insert(*dir, number)),
                _ => {}
            }
        }
        keep
    }

    fn is_synced(&self, number: usize, file: FileId) -> bool {
        self.file_syncs.get(&file).is_some_and(|sync| *sync > number)
    }

    fn is_named(&self, number: usize, (dir, _): &Name) -> bool {
        self.dir_syncs.get(dir).is_some_and(|sync| *sync > number)
    }

    /// One of `bound` choices; the first, which is to keep, if nothing is lost.
    fn choose(&mut self, is_durable: bool, bound: usize) -> usize {
        match &mut self.choices {
            Some(choices) if !is_durable => choices.random_range(0..bound),
            _ => 0,
        }
    }

    /// Whether a change that is made as a whole or not at all is there.
    fn keeps(&mut self, is_durable: bool) -> bool {
        self.choose(is_durable, 2) == 0
    }

    /// Which bytes of a write of `len` are lost, and whether the file is as long as if they were there: nothing is
    /// lost, all, all but the length, an end, or a part between.
    fn lost(&mut self, number: usize, file: FileId, len: usize) -> (Range<usize>, bool) {
        match self.choose(self.is_synced(number, file), 5) {
            0 => (len..len, false),
            1 => (0..len, false),
            2 => (0..len, true),
            3 => (self.choose(false, len + 1)..len, false),
            _ => {
                let start = self.choose(false, len + 1);
                (start..start + self.choose(false, len - start + 1), false)
            }
        }
    }
}
