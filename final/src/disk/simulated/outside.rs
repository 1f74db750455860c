use super::{Fault, SimulatedDisk};
use crate::disk::power_loss::{Change, Name};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What somebody else sees of a disk, and does to it behind the back of whoever has taken a directory; how it fails.
impl SimulatedDisk {
    /// The operation that comes `later` operations from now fails, that one only and as a whole. Returns its number.
    pub fn fail(&self, later: usize, error: ErrorKind) -> usize {
        let at = self.operations() + later;
        self.set_fault(Some(Fault { at, forever: false, error, short_write: false }));
        at
    }

    /// The content of a file, if there is one of that name.
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        let file = *state.now.names.get(&state.name(path)?)?;
        Some(state.now.files[file].clone())
    }

    /// The paths of all files.
    pub fn files(&self) -> Vec<PathBuf> {
        let state = self.state();
        let names = state.now.names.keys();
        let path = |(dir, name): &Name| {
            let mut dirs = state.now.dirs.iter();
            dirs.find(|(_, id)| *id == dir).map(|(path, _)| path.join(name))
        };
        names.filter_map(path).collect()
    }

    /// Replaces the content of a file, as damage would; makes it, and its directory, if need be.
    pub fn set_content(&self, path: &Path, content: Vec<u8>) {
        let mut state = self.state();
        if let (None, Some(dir)) = (state.name(path), path.parent()) {
            state.make_dir(dir);
        }
        let Some(name) = state.name(path) else {
            return;
        };
        let new = state.now.files.len();
        let file = *state.now.names.entry(name).or_insert(new);
        *state.now.file(file) = content;
    }

    /// Begins another session, as a restart or a mount does, that takes nothing; or one that the disk can't tell
    /// from others. It begins with session 0.
    pub fn set_session(&self, session: Option<u64>) {
        self.state().session = session.unwrap_or(u64::MAX);
    }

    /// Deletes a file, as an accident would.
    pub fn delete(&self, path: &Path) {
        let mut state = self.state();
        if let Some(name) = state.name(path) {
            state.now.names.remove(&name);
        }
    }

    /// Gives a directory another path, which is free.
    pub fn move_dir(&self, from: &Path, to: &Path) {
        let mut state = self.state();
        let dir = state.now.dirs.get(from).copied();
        state.change(Change::Dir { path: from.to_owned(), dir: None });
        state.change(Change::Dir { path: to.to_owned(), dir });
    }

    /// Deletes a directory with all that is in it.
    pub fn delete_dir(&self, path: &Path) {
        let mut state = self.state();
        if let Some(dir) = state.now.dirs.get(path).copied() {
            for name in state.names_in(dir) {
                state.change(Change::Name { name: (dir, name), file: None });
            }
            state.markers.remove(&dir);
            state.change(Change::Dir { path: path.to_owned(), dir: None });
        }
    }

    /// Copies a directory to a path that is free, durably.
    pub fn copy_dir(&self, from: &Path, to: &Path) {
        let mut state = self.state();
        let Some(from) = state.now.dirs.get(from).copied() else { return };
        let dir = state.make_dir(to);
        for name in state.names_in(from) {
            let bytes = state.now.files[state.now.names[&(from, name.clone())]].clone();
            let file = state.now.files.len();
            state.change(Change::Name { name: (dir, name), file: Some(file) });
            state.change(Change::Write { file, offset: 0, bytes });
            state.change(Change::Sync { file });
        }
        state.change(Change::SyncDir { dir });
    }

    /// Removes the marker of a directory, or puts another one in its place.
    pub fn set_marker(&self, path: &Path, marker: Option<usize>) {
        let mut state = self.state();
        let dir = state.now.dirs[path];
        match marker {
            Some(marker) => drop(state.markers.insert(dir, marker)),
            None => drop(state.markers.remove(&dir)),
        }
    }
}
