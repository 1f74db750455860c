//! A directory has one owner; and directories are moved, deleted, restored, cleaned up and reached by a
//! link that is turned, while two servers at a time have them or others of their names.

use super::promise::{Outcome, Run, count, for_each};
use super::server::{KVS, kvs_server};
use kvs_final::disk::{Access, Dir, Disk, DiskFile, FileId, RealDisk};
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsClient, KvsEngine};
use kvs_test_kit::Server;
use kvs_test_kit::expected::Expected;
use kvs_test_kit::files::copy_dir;
use kvs_test_kit::raw::{FOUND, GET, NOTHING, SET};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use tempfile::TempDir;

/// Starts a second server on a directory, which must be refused with a message.
fn is_refused(dir: &Path) -> Result<(), String> {
    match Server::start(Command::new(KVS).arg("server"), dir) {
        Err(log) if log.contains("in use by another store") => Ok(()),
        Err(log) => Err(format!("it ends with another message: {log}")),
        Ok(_) => Err("it is let in".to_owned()),
    }
}

/// Many at a time, while the first one serves.
pub(crate) fn refuse_second_owners(run: Run) -> Outcome {
    let dir = TempDir::new().unwrap();
    if run.injects("a directory that nobody has") {
        is_refused(dir.path())?;
    }
    let server = kvs_server(&[], dir.path());
    let rounds = run.pick(5, 50);
    for_each(0..rounds, |_| {
        thread::scope(|scope| {
            let all: Vec<_> = (0..20).map(|_| scope.spawn(|| is_refused(dir.path()))).collect();
            all.into_iter().try_for_each(|one| one.join().unwrap())
        })
    })?;
    let mut client = server.connect();
    assert_eq!([client.ask(SET), client.ask(GET)], [NOTHING, FOUND]);
    Ok(vec![count(20 * rounds, "second servers refused", 20 * rounds)])
}

/// What directories are called. The last of these names is a link's.
const NAMES: [&str; 4] = ["a", "b", "c", "link"];
const LINK: usize = 3;
/// So many steps for each of the directories that there are to begin with.
const STEPS: usize = 40;

const MOVED: &str = "directories moved";
const DELETED: &str = "deleted";
const RESTORED: &str = "restored";
const TURNED: &str = "links turned";
const UNMARKED: &str = "markers removed";
const STARTED: &str = "servers started meanwhile";
const REFUSED_START: &str = "refused as second ones";
const WRITTEN: &str = "acknowledged writes";
const REFUSED: &str = "writes refused by deleted stores";
/// With how often at least.
const COUNTED: [(&str, u64); 9] = [
    (MOVED, 100),
    (DELETED, 50),
    (RESTORED, 100),
    (TURNED, 100),
    (UNMARKED, 50),
    (STARTED, 100),
    (REFUSED_START, 10),
    (WRITTEN, 100),
    (REFUSED, 10),
];

/// A directory.
struct Known {
    /// Which of the names it has; none once it was deleted.
    name: Option<usize>,
    expected: Expected,
}

/// Who has taken a directory.
enum Owner {
    Server(Server, Box<KvsClient>),
    /// One that is careless.
    Store(KvStore),
}

struct World {
    place: TempDir,
    fault: &'static str,
    known: Vec<Known>,
    /// Each with the number of its directory.
    owners: [Option<(usize, Owner)>; 2],
    link: usize,
    /// How often something was done of each kind.
    counts: BTreeMap<&'static str, u64>,
}

impl World {
    fn new(fault: &'static str) -> World {
        let place = TempDir::new().unwrap();
        let store = KvStore::open(place.path().join("backup")).unwrap();
        (0..50).for_each(|key| store.set(format!("k{key}"), "of the backup".into()).unwrap());
        symlink("a", place.path().join(NAMES[LINK])).unwrap();
        let (known, owners, counts) = Default::default();
        World { place, fault, known, owners, link: 0, counts }
    }

    fn path(&self, name: usize) -> PathBuf {
        self.place.path().join(NAMES[name])
    }

    fn did(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// The directory that a name leads to.
    fn find(&self, name: usize) -> Option<usize> {
        let name = if name == LINK { self.link } else { name };
        self.known.iter().position(|known| known.name == Some(name))
    }

    fn start(&mut self, slot: usize, name: usize) -> Result<(), String> {
        let path = self.path(name);
        let found = self.find(name);
        let is_taken = self.owners.iter().flatten().any(|(dir, _)| Some(*dir) == found);
        if is_taken {
            self.did(REFUSED_START);
            return match Server::start(Command::new(KVS).arg("server"), &path) {
                Err(log) if log.contains("in use by another store") => Ok(()),
                Err(log) => Err(format!("refused with another message: {log}")),
                Ok(_) => Err("a second owner is let in".to_owned()),
            };
        }
        let dir = found.unwrap_or(self.known.len());
        if found.is_none() {
            let name = if name == LINK { self.link } else { name };
            fs::create_dir(self.path(name)).unwrap();
            self.known.push(Known { name: Some(name), expected: Expected::default() });
        }
        let owner = if self.fault.is_empty() {
            let server = kvs_server(&["--durability", "always"], &path);
            let client = KvsClient::connect(server.addr).unwrap();
            Owner::Server(server, Box::new(client))
        } else {
            let options = KvStoreOptions::new().durability(Durability::Always).disk(CarelessDisk);
            // By path it finds a file only when it rotates.
            let options = options.segment_bytes(if self.fault == BY_PATH { 100 } else { 1 << 20 });
            Owner::Store(options.background(false).open(path).unwrap())
        };
        self.owners[slot] = Some((dir, owner));
        self.did(STARTED);
        Ok(())
    }

    /// Writes, if there is somebody to write to: it is done if the directory is anywhere, and refused
    /// if it was deleted.
    fn write(&mut self, slot: usize, key: String) -> Result<(), String> {
        let Some((dir, owner)) = &mut self.owners[slot] else { return Ok(()) };
        let Known { name, expected } = &mut self.known[*dir];
        let value = format!("{:?}", self.counts);
        let written = match owner {
            Owner::Server(_, client) => client.set(key.clone(), value.clone()),
            Owner::Store(store) => store.set(key.clone(), value.clone()),
        };
        expected.note(&key, Some(value), written.is_ok());
        let is_there = name.is_some();
        match written.map_err(|error| error.to_string()) {
            Ok(()) if is_there => self.did(WRITTEN),
            Ok(()) => return Err("a store that was deleted acknowledged a write".to_owned()),
            Err(error) if is_there => {
                return Err(format!("a store that is there refused a write: {error}"));
            }
            Err(error) if error.contains("no more writes until") => self.did(REFUSED),
            Err(error) => return Err(format!("refused with another message: {error}")),
        }
        Ok(())
    }

    fn stop(&mut self, slot: usize, kill: bool) -> Result<(), String> {
        match self.owners[slot].take() {
            Some((_, Owner::Server(mut server, _))) if kill => server.kill(),
            Some((_, Owner::Server(server, client))) => {
                drop(client);
                let (status, log) = server.terminate();
                return if status.success() { Ok(()) } else { Err(format!("{status}: {log}")) };
            }
            _ => {}
        }
        Ok(())
    }

    /// One of the things that somebody may do.
    fn step(&mut self, random: &mut StdRng) -> Result<(), String> {
        let (slot, name) = (random.random_range(0..2), random.random_range(0..LINK));
        let found = self.find(name);
        let free = (0..LINK).find(|name| self.find(*name).is_none());
        match (random.random_range(0..14), found, free) {
            (0 | 1, Some(dir), Some(free)) if self.fault != NEVER_LOOKS => {
                fs::rename(self.path(name), self.path(free)).unwrap();
                self.known[dir].name = Some(free);
                self.did(MOVED);
            }
            (2, Some(dir), _) if self.fault != BY_PATH => {
                fs::remove_dir_all(self.path(name)).unwrap();
                self.known[dir].name = None;
                self.did(DELETED);
            }
            (3 | 4, None, _) => {
                copy_dir(&self.place.path().join("backup"), &self.path(name));
                let mut expected = Expected::default();
                (0..50).for_each(|key| {
                    expected.note(&format!("k{key}"), Some("of the backup".into()), true);
                });
                self.known.push(Known { name: Some(name), expected });
                self.did(RESTORED);
            }
            (5, ..) => {
                fs::remove_file(self.path(LINK)).unwrap();
                symlink(NAMES[name], self.path(LINK)).unwrap();
                self.link = name;
                self.did(TURNED);
            }
            (6, Some(_), _) => {
                // It may be gone already.
                if fs::remove_file(self.path(name).join("engine")).is_ok() {
                    self.did(UNMARKED);
                }
            }
            (7 | 8, ..) if self.owners[slot].is_none() => {
                let name = if random.random_range(0..3) == 0 { LINK } else { name };
                return self.start(slot, name);
            }
            (9, ..) => return self.stop(slot, random.random_range(0..2) == 0),
            _ => {
                let key = format!("k{}", random.random_range(0..60));
                return self.write(slot, key);
            }
        }
        Ok(())
    }

    /// Ends all, and looks at each directory.
    fn check(&mut self) -> Result<(), String> {
        (0..2).try_for_each(|slot| self.stop(slot, false))?;
        for Known { name, expected } in &self.known {
            if let Some(name) = *name {
                let store = KvStore::open(self.path(name)).map_err(|error| error.to_string())?;
                expected.check(|key| store.get(key))?;
            }
        }
        Ok(())
    }
}

pub(crate) fn are_found_by_no_name(run: Run) -> Outcome {
    let worlds = for_each(run.seeds(60, 2_000), |seed| {
        let (mut world, random) = (World::new(run.fault), &mut StdRng::seed_from_u64(seed));
        for number in 0..STEPS {
            world.step(random).map_err(|error| format!("step {number}: {error}"))?;
        }
        world.check()?;
        Ok(world.counts)
    })?;
    let counted = |(what, at_least)| {
        let number: u64 = worlds.iter().filter_map(|counts| counts.get(what)).sum();
        count(number, what, run.pick(at_least, 30 * at_least))
    };
    Ok(COUNTED.map(counted).into())
}

pub(crate) const BY_PATH: &str = "files that are found by their paths";
pub(crate) const NEVER_LOOKS: &str = "a store that doesn't see that it was deleted";

/// Finds files by their paths, and doesn't look what became of them.
struct CarelessDisk;

struct CarelessDir {
    dir: Arc<dyn Dir>,
    /// What each name led to when it was opened.
    ids: Mutex<HashMap<String, FileId>>,
}

impl Disk for CarelessDisk {
    fn claim(&self, dir: &Path, access: Access) -> kvs_final::Result<Arc<dyn Dir>> {
        let (dir, ids) = (RealDisk.claim(dir, access)?, Mutex::default());
        Ok(Arc::new(CarelessDir { dir, ids }))
    }
}

impl CarelessDir {
    fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn file(&self, name: &str, options: &mut OpenOptions) -> io::Result<Box<dyn DiskFile>> {
        let file = options.read(true).open(self.at(name))?;
        self.ids.lock().unwrap().insert(name.to_owned(), file.id()?);
        Ok(Box::new(file))
    }
}

impl Dir for CarelessDir {
    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().into_string().unwrap());
        fs::read_dir(self.path())?.map(name).collect()
    }

    fn id(&self, name: &str) -> io::Result<FileId> {
        Ok(self.ids.lock().unwrap()[name])
    }

    fn confirm(&self) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.file(name, File::options().write(true).create(true).truncate(true))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn DiskFile>> {
        self.file(name, File::options().write(access == Access::Write))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.at(name))
    }

    fn sync(&self) -> io::Result<()> {
        self.dir.sync()
    }

    fn release(&self) {
        self.dir.release();
    }
}
