//! What a power cut takes: the changes since the start, and which of them survive.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Where the arbitrary choices of a crash come from: SplitMix64, after Steele, Lea and Flood (2014).
#[derive(Clone, Debug)]
pub struct CrashRng(pub u64);

impl CrashRng {
    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// A file, whatever its names.
pub(super) type FileId = usize;

/// Names and contents.
pub(super) type Content = (BTreeMap<PathBuf, FileId>, Vec<Vec<u8>>);

/// An operation that changed something.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { file: FileId, offset: u64, bytes: Vec<u8> },
    SetLen { file: FileId, len: u64 },
    Sync { file: FileId },
    Name { path: PathBuf, file: Option<FileId> },
    Rename { from: PathBuf, to: PathBuf, file: FileId },
    SyncDir { dir: PathBuf },
}

/// Writes as a file system does: behind the end there are zeros.
pub(super) fn write(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + bytes.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

/// The content of a file, which is made if need be.
fn content(files: &mut Vec<Vec<u8>>, file: FileId) -> &mut Vec<u8> {
    if files.len() <= file {
        files.resize(file + 1, Vec::new());
    }
    &mut files[file]
}

/// Whether all of these changes are safe.
pub(super) fn is_safe(done: &[Change]) -> bool {
    let keep = Keep::new(done, None);
    done.iter().enumerate().all(|(number, change)| match change {
        Change::Write { file, .. } | Change::SetLen { file, .. } => keep.is_synced(number, *file),
        Change::Name { path, .. } | Change::Rename { to: path, .. } => keep.is_named(number, path),
        Change::Sync { .. } | Change::SyncDir { .. } => true,
    })
}

/// What there is after some changes to `base`; with choices, after a power cut too.
pub(super) fn replay(base: &Content, done: &[Change], choices: Option<&mut CrashRng>) -> Content {
    let (mut names, mut files) = base.clone();
    let mut keep = Keep::new(done, choices);
    for (number, change) in done.iter().enumerate() {
        match change {
            Change::Write { file, offset, bytes } => {
                let (start, end) = keep.parts(number, *file, bytes.len());
                for part in [0..start, end..bytes.len()] {
                    if !part.is_empty() {
                        let at = *offset + part.start as u64;
                        write(content(&mut files, *file), at, &bytes[part]);
                    }
                }
            }
            Change::SetLen { file, len } => {
                if keep.whole(number, *file) {
                    content(&mut files, *file).resize(*len as usize, 0);
                }
            }
            Change::Name { path, file } => {
                if keep.name(number, path) {
                    match file {
                        Some(file) => drop(names.insert(path.clone(), *file)),
                        None => drop(names.remove(path)),
                    }
                }
            }
            // A rename is one step: both names or none.
            Change::Rename { from, to, file } => {
                if keep.name(number, to) {
                    names.remove(from);
                    names.insert(to.clone(), *file);
                }
            }
            Change::Sync { .. } | Change::SyncDir { .. } => {}
        }
    }
    (names, files)
}

/// Decides what survives.
struct Keep<'a> {
    /// For each file the number of its last sync; what came before it is safe.
    file_syncs: HashMap<FileId, usize>,
    /// For each directory likewise.
    dir_syncs: HashMap<&'a Path, usize>,
    choices: Option<&'a mut CrashRng>,
}

impl<'a> Keep<'a> {
    fn new(done: &'a [Change], choices: Option<&'a mut CrashRng>) -> Keep<'a> {
        let mut keep = Keep { file_syncs: HashMap::new(), dir_syncs: HashMap::new(), choices };
        for (number, change) in done.iter().enumerate() {
            match change {
                Change::Sync { file } => drop(keep.file_syncs.insert(*file, number)),
                Change::SyncDir { dir } => drop(keep.dir_syncs.insert(dir, number)),
                _ => {}
            }
        }
        keep
    }

    fn is_synced(&self, number: usize, file: FileId) -> bool {
        self.file_syncs.get(&file).is_some_and(|sync| *sync > number)
    }

    fn is_named(&self, number: usize, path: &Path) -> bool {
        let last = path.parent().and_then(|dir| self.dir_syncs.get(dir));
        last.is_some_and(|sync| *sync > number)
    }

    /// One of `bound` choices; the first, which is to keep, if nothing is lost.
    fn choose(&mut self, safe: bool, bound: usize) -> usize {
        match &mut self.choices {
            Some(choices) if !safe => choices.below(bound),
            _ => 0,
        }
    }

    fn whole(&mut self, number: usize, file: FileId) -> bool {
        self.choose(self.is_synced(number, file), 2) == 0
    }

    /// What of a write of `len` bytes is there: the bytes before the first place, and those from the
    /// second on. That may be all, nothing, a beginning, or all but a part between.
    fn parts(&mut self, number: usize, file: FileId, len: usize) -> (usize, usize) {
        match self.choose(self.is_synced(number, file), 4) {
            0 => (len, len),
            1 => (0, len),
            2 => (self.choose(false, len + 1), len),
            _ => {
                let start = self.choose(false, len + 1);
                (start, start + self.choose(false, len - start + 1))
            }
        }
    }

    fn name(&mut self, number: usize, path: &Path) -> bool {
        self.choose(self.is_named(number, path), 2) == 0
    }
}
