mod outside;

use super::power_loss::{Change, Content, DirId, FileId, Name, is_durable, lose, replay};
use super::{Access, Dir, Disk, DiskFile, FileId as Id};
use crate::sync::{Mutex, MutexGuard};
use crate::{KvsError, Result};
use rand::Rng;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

/// A disk in memory that knows what a power loss may take.
///
/// It records every operation that changes something, in order. [`SimulatedDisk::after_power_loss`]
/// makes a disk as it may look if the power had failed after the first so many of them: writes that
/// were not synced may be there, or not, or in part; names whose directory was not synced likewise,
/// each by itself; and bytes that were written behind a file's end when the power failed may turn up
/// once it has grown and the power fails again. A kill leaves the session as it is, a power loss changes it.
/// Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

/// An injected fault: what goes wrong, from an operation on.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The number of the operation, counted from 0 since the disk was made; reads count too.
    pub at: usize,
    /// Only that operation, or every one from there on.
    pub forever: bool,
    /// What the operation answers.
    pub error: io::ErrorKind,
    /// Whether a write writes its first half before it fails.
    pub short_write: bool,
}

#[derive(Default)]
struct State {
    /// What is there now.
    now: Content,
    /// How many directories were ever made.
    dirs: DirId,
    claimed: BTreeSet<DirId>,
    /// Which marker each has, if any.
    markers: BTreeMap<DirId, usize>,
    /// What was there at the start.
    base: Content,
    changes: Vec<Change>,
    operations: usize,
    fault: Option<Fault>,
    lies: bool,
    /// See [`Dir::session`]. The last number stands for none.
    session: u64,
    during_sync: Option<Box<dyn FnOnce() + Send>>,
    /// Before which operation it is called.
    before: Option<(usize, Box<dyn FnOnce() + Send>)>,
}

impl SimulatedDisk {
    /// An empty disk.
    pub fn new() -> SimulatedDisk {
        SimulatedDisk::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations that change something there were.
    pub fn changes(&self) -> usize {
        self.state().changes.len()
    }

    /// How many operations there were, reads included.
    pub fn operations(&self) -> usize {
        self.state().operations
    }

    /// From now on, does what `fault` says, or nothing of the kind.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.state().fault = fault;
    }

    /// From now on a sync succeeds and does nothing: on such a disk no store can be durable.
    pub fn set_lying(&self, lies: bool) {
        self.state().lies = lies;
    }

    /// Calls `then` in the course of the next sync of a file: what it makes durable is durable by then,
    /// and it has not returned yet.
    pub fn during_next_sync(&self, then: impl FnOnce() + Send + 'static) {
        self.state().during_sync = Some(Box::new(then));
    }

    /// Calls `then` just before the operation of this number.
    pub fn before_operation(&self, number: usize, then: impl FnOnce() + Send + 'static) {
        self.state().before = Some((number, Box::new(then)));
    }

    /// Begins an operation.
    fn begin(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let number = state.operations;
        if let Some((_, then)) = state.before.take_if(|(at, _)| *at == number) {
            drop(state);
            then();
            state = self.state();
        }
        state.operations += 1;
        match state.fault {
            Some(fault) if number == fault.at || fault.forever && number > fault.at => {
                Err(io::Error::new(fault.error, "the simulated disk fails"))
            }
            _ => Ok(state),
        }
    }

    /// Whether a power loss now would take nothing.
    pub fn is_durable(&self) -> bool {
        is_durable(&self.state().changes)
    }

    /// A disk with the same content, all of it durable.
    pub fn snapshot(&self) -> SimulatedDisk {
        let state = self.state();
        let Content { behind, .. } = replay(&state.base, &state.changes, None);
        SimulatedDisk::of(Content { behind, ..state.now.clone() }, &[], state.session)
    }

    /// A disk on which these changes were made to `base`, and nothing was lost.
    fn of(base: Content, done: &[Change], session: u64) -> SimulatedDisk {
        // Nobody sees what is behind a file's end, as long as the power does not fail.
        let shown = Content { behind: HashMap::new(), ..base.clone() };
        let (now, changes) = (replay(&shown, done, None), done.to_vec());
        let named = base.names.keys().map(|(dir, _)| dir);
        let dirs = now.dirs.values().chain(named).max().map_or(0, |last| last + 1);
        let state = State { now, base, changes, dirs, session, ..State::default() };
        SimulatedDisk(Arc::new(Mutex::new(state)))
    }

    /// The disk after a power loss that came when `changes` operations were done: whatever was not
    /// synced by then is kept, lost or torn, as the choices say.
    pub fn after_power_loss(&self, changes: usize, choices: &mut impl Rng) -> SimulatedDisk {
        let state = self.state();
        let session = state.session.saturating_add(1);
        SimulatedDisk::of(lose(&state.base, state.done(changes), choices), &[], session)
    }

    /// The disk after the process ended when `changes` operations were done. Nothing is lost, but
    /// what was not synced still is not: a power loss after that may take it.
    pub fn after_kill(&self, changes: usize) -> SimulatedDisk {
        let state = self.state();
        SimulatedDisk::of(state.base.clone(), state.done(changes), state.session)
    }
}

impl State {
    /// So many changes.
    fn done(&self, changes: usize) -> &[Change] {
        &self.changes[..changes.min(self.changes.len())]
    }

    fn change(&mut self, change: Change) {
        self.now.apply(&change);
        self.changes.push(change);
    }

    fn names_in(&self, dir: DirId) -> Vec<String> {
        let inside = self.now.names.keys().filter(|(of, _)| *of == dir);
        inside.map(|(_, name)| name.clone()).collect()
    }

    /// Makes a directory.
    fn make_dir(&mut self, path: &Path) -> DirId {
        let id = self.dirs;
        self.dirs += 1;
        self.change(Change::Dir { path: path.to_owned(), dir: Some(id) });
        id
    }

    /// Where the file at `path` is, if its directory is there.
    fn name(&self, path: &Path) -> Option<Name> {
        let dir = self.now.dirs.get(path.parent()?)?;
        Some((*dir, path.file_name()?.to_str()?.to_owned()))
    }

    /// Fails if the directory was deleted.
    fn exists(&self, dir: DirId) -> io::Result<()> {
        let exists = self.now.dirs.values().any(|id| *id == dir);
        if exists { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn find(&self, name: &Name) -> io::Result<FileId> {
        self.now.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for SimulatedDisk {
    fn claim(&self, path: &Path, access: Access) -> Result<Arc<dyn Dir>> {
        let mut state = self.begin().map_err(KvsError::at(path))?;
        let id = match state.now.dirs.get(path) {
            Some(id) => *id,
            None if access == Access::Read => {
                return Err(KvsError::at(path)(io::ErrorKind::NotFound.into()));
            }
            None => state.make_dir(path),
        };
        if !state.claimed.insert(id) {
            return Err(KvsError::InUse { dir: path.to_owned() });
        }
        let marker = *state.markers.entry(id).or_insert(0);
        let session = Some(state.session).filter(|session| *session < u64::MAX);
        let session = session.map(|session| format!("simulated {session}"));
        let (disk, path, is_ours) = (self.clone(), path.to_owned(), AtomicBool::new(true));
        Ok(Arc::new(SimulatedDir { disk, path, id, marker, session, is_ours }))
    }
}

struct SimulatedDir {
    disk: SimulatedDisk,
    path: PathBuf,
    id: DirId,
    marker: usize,
    /// As it was when it was taken.
    session: Option<String>,
    /// Until it is released.
    is_ours: AtomicBool,
}

impl SimulatedDir {
    fn name(&self, name: &str) -> Name {
        (self.id, name.to_owned())
    }

    fn file(&self, file: FileId, access: Access) -> Box<dyn DiskFile> {
        Box::new(SimulatedFile { disk: self.disk.clone(), file, access })
    }
}

impl Dir for SimulatedDir {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.disk.begin()?.names_in(self.id))
    }

    fn id(&self, name: &str) -> io::Result<Id> {
        Ok(id(self.disk.begin()?.find(&self.name(name))?))
    }

    fn confirm(&self) -> io::Result<()> {
        let mut state = self.disk.begin()?;
        state.exists(self.id)?;
        match *state.markers.entry(self.id).or_insert(self.marker) {
            found if found == self.marker => Ok(()),
            _ => Err(io::Error::other("its marker was replaced")),
        }
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.disk.begin()?;
        let name = self.name(name);
        state.exists(self.id)?;
        if state.find(&name).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = state.now.files.len();
        state.change(Change::Name { name, file: Some(file) });
        Ok(self.file(file, Access::Write))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.disk.begin()?.find(&self.name(name))?, access))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.disk.begin()?;
        let (from, to) = (self.name(from), self.name(to));
        let file = state.find(&from)?;
        state.change(Change::Rename { from, to, file });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.disk.begin()?;
        let name = self.name(name);
        state.find(&name)?;
        state.change(Change::Name { name, file: None });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.begin()?;
        if !state.lies {
            state.changes.push(Change::SyncDir { dir: self.id });
        }
        Ok(())
    }

    fn session(&self) -> Option<String> {
        self.session.clone()
    }

    fn release(&self) {
        if self.is_ours.swap(false, Ordering::Relaxed) {
            self.disk.state().claimed.remove(&self.id);
        }
    }
}

impl Drop for SimulatedDir {
    fn drop(&mut self) {
        self.release();
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    file: FileId,
    access: Access,
}

impl SimulatedFile {
    fn may_write(&self) -> io::Result<()> {
        match self.access {
            Access::Read => Err(io::ErrorKind::PermissionDenied.into()),
            Access::Write => Ok(()),
        }
    }
}

fn id(file: FileId) -> Id {
    Id { device: 0, number: file as u64 }
}

impl DiskFile for SimulatedFile {
    fn id(&self) -> io::Result<Id> {
        Ok(id(self.file))
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.disk.begin()?;
        Ok(state.now.files[self.file].len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.begin()?;
        let from = state.now.files[self.file].get(offset as usize..);
        let from = from.and_then(|from| from.get(..buffer.len()));
        buffer.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.may_write()?;
        let (mut state, bytes, result) = match self.disk.begin() {
            Ok(state) => (state, bytes, Ok(())),
            Err(error) => (self.disk.state(), &bytes[..bytes.len() / 2], Err(error)),
        };
        if result.is_ok() || state.fault.is_some_and(|fault| fault.short_write) {
            state.change(Change::Write { file: self.file, offset, bytes: bytes.to_owned() });
        }
        result
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.may_write()?;
        let mut state = self.disk.begin()?;
        state.change(Change::SetLen { file: self.file, len });
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        if self.len()? < len { self.set_len(len) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.begin()?;
        if !state.lies {
            state.changes.push(Change::Sync { file: self.file });
        }
        let then = state.during_sync.take();
        drop(state);
        then.into_iter().for_each(|then| then());
        Ok(())
    }
}
