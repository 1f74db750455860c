//! A directory has one owner; and directories are moved, deleted, restored, cleaned up and reached by a
//! link that is turned, while two stores at a time have them or others of their names.

use super::*;
use kvs_final::disk::{Access, Dir, Disk, DiskFile, FileId, RealDisk, RealFile};
use std::os::unix::fs::symlink;

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

/// What is done, and how often at least.
const COUNTED: [(&str, u64); 9] = [
    ("directories moved", 100),
    ("deleted", 50),
    ("restored", 100),
    ("links turned", 100),
    ("markers removed", 50),
    ("stores opened meanwhile", 100),
    ("refused as second ones", 10),
    ("acknowledged writes", 100),
    ("writes refused by deleted stores", 10),
];

/// A directory.
struct Known {
    /// Which of the names it has; none once it was deleted.
    name: Option<usize>,
    expected: Expected,
}

struct World {
    place: TempDir,
    fault: &'static str,
    known: Vec<Known>,
    /// Each with the number of its directory.
    owners: [Option<(usize, KvStore)>; 2],
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

    fn open(&mut self, slot: usize, name: usize) -> Result<(), String> {
        let found = self.find(name);
        let is_taken = self.owners.iter().flatten().any(|(dir, _)| Some(*dir) == found);
        let dir = found.unwrap_or(self.known.len());
        if found.is_none() {
            let name = if name == LINK { self.link } else { name };
            fs::create_dir(self.path(name)).unwrap();
            self.known.push(Known { name: Some(name), expected: Expected::default() });
        }
        let options = KvStoreOptions::new().durability(Durability::Always);
        let options = match self.fault {
            "" => options,
            // It finds a file only when it rotates.
            BY_PATH => options.disk(CarelessDisk).segment_bytes(100).background(false),
            _ => options.disk(CarelessDisk).background(false),
        };
        match (is_taken, options.open(self.path(name))) {
            (true, Err(KvsError::InUse { .. })) => self.did("refused as second ones"),
            (false, Ok(store)) => {
                self.owners[slot] = Some((dir, store));
                self.did("stores opened meanwhile");
            }
            (true, Ok(_)) => return Err("a second owner is let in".to_owned()),
            (_, Err(error)) => return Err(format!("refused with another message: {error}")),
        }
        Ok(())
    }

    /// Writes, if there is somebody to write to: it is done if the directory is anywhere, and refused
    /// if it was deleted.
    fn write(&mut self, slot: usize, key: String) -> Result<(), String> {
        let Some((dir, store)) = &self.owners[slot] else { return Ok(()) };
        let Known { name, expected } = &mut self.known[*dir];
        let value = format!("{:?}", self.counts);
        let written = store.set(key.clone(), value.clone());
        expected.note(&key, Some(value), written.is_ok());
        let is_there = name.is_some();
        match written.map_err(|error| error.to_string()) {
            Ok(()) if is_there => self.did("acknowledged writes"),
            Ok(()) => return Err("a store that was deleted acknowledged a write".to_owned()),
            Err(error) if is_there => {
                return Err(format!("a store that is there refused a write: {error}"));
            }
            Err(error) if error.contains("no more writes until") => {
                self.did("writes refused by deleted stores")
            }
            Err(error) => return Err(format!("refused with another message: {error}")),
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
                self.did("directories moved");
            }
            (2, Some(dir), _) if self.fault != BY_PATH => {
                fs::remove_dir_all(self.path(name)).unwrap();
                self.known[dir].name = None;
                self.did("deleted");
            }
            (3 | 4, None, _) => {
                copy_dir(&self.place.path().join("backup"), &self.path(name));
                let mut expected = Expected::default();
                (0..50).for_each(|key| {
                    expected.note(&format!("k{key}"), Some("of the backup".into()), true);
                });
                self.known.push(Known { name: Some(name), expected });
                self.did("restored");
            }
            (5, ..) => {
                fs::remove_file(self.path(LINK)).unwrap();
                symlink(NAMES[name], self.path(LINK)).unwrap();
                self.link = name;
                self.did("links turned");
            }
            (6, Some(_), _) => {
                // It may be gone already.
                if fs::remove_file(self.path(name).join("engine")).is_ok() {
                    self.did("markers removed");
                }
            }
            (7 | 8, ..) if self.owners[slot].is_none() => {
                let name = if random.random_range(0..3) == 0 { LINK } else { name };
                return self.open(slot, name);
            }
            (9, ..) => self.owners[slot] = None,
            _ => {
                let key = format!("k{}", random.random_range(0..60));
                return self.write(slot, key);
            }
        }
        Ok(())
    }

    /// Ends all, and looks at each directory.
    fn check(&mut self) -> Result<(), String> {
        self.owners = [None, None];
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

const BY_PATH: &str = "files that are found by their paths";
const NEVER_LOOKS: &str = "a store that doesn't see that it was deleted";

/// Finds files by their paths, and doesn't look what became of them.
struct CarelessDisk;

struct CarelessDir(Arc<dyn Dir>);

impl Disk for CarelessDisk {
    fn claim(&self, dir: &Path, access: Access) -> kvs_final::Result<Arc<dyn Dir>> {
        Ok(Arc::new(CarelessDir(RealDisk.claim(dir, access)?)))
    }
}

impl CarelessDir {
    fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

impl Dir for CarelessDir {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().into_string().unwrap());
        fs::read_dir(self.path())?.map(name).collect()
    }

    fn id(&self, name: &str) -> io::Result<FileId> {
        self.0.id(name)
    }

    fn see(&self, _name: &str, _file: FileId) -> io::Result<()> {
        Ok(())
    }

    fn confirm(&self) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        Ok(Box::new(RealFile::new(options.open(self.at(name))?)))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let file = File::options().read(true).write(access == Access::Write).open(self.at(name))?;
        Ok(Box::new(RealFile::new(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.at(name))
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn release(&self) {
        self.0.release();
    }
}
