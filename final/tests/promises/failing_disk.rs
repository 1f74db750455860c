//! A server on a disk that is full, and on one whose sync fails once.

use super::*;
use kvs_final::Result;

/// A file system in memory, of a few megabytes.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// One of so many bytes.
    pub(crate) fn new(bytes: u64) -> result::Result<SmallDisk, String> {
        let disk = SmallDisk(TempDir::new().unwrap());
        let size = format!("size={bytes}");
        let mount = ["-t", "tmpfs", "-o", &size, "tmpfs"];
        run(Command::new("mount").args(mount).arg(disk.path()))?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// Whether such a file system can be had here.
pub(crate) fn needs_mount() -> result::Result<(), String> {
    SmallDisk::new(1 << 20).map(drop)
}

/// How a server met a full disk.
#[derive(Default)]
struct Met {
    expected: Expected,
    refused: u64,
    read: u64,
}

impl Met {
    /// Again and again writes new keys until one is refused for want of space, and reads all of them.
    fn fill(&mut self, client: &mut KvsClient, from: u64) -> result::Result<(), String> {
        for round in 0..20 {
            let mut numbers = (from + 1_000 * round)..(from + 1_000 * round + 2_000);
            let refusal = numbers.find_map(|number| {
                let value = Some("v".repeat(10_000));
                self.expected.write(client, &format!("k{number}"), value).err()
            });
            let refusal = refusal.ok_or("the disk is never full")?.to_string();
            if !refusal.contains("No space left") {
                return Err(format!("the disk is full, and it says: {refusal}"));
            }
            self.refused += 1;
            self.read += self.expected.check(|key| client.get(key))?;
        }
        Ok(())
    }
}

/// Fills the disk of a server, makes room by deleting some ballast, fills that, and opens what the
/// server leaves. With small segments each write begins one, and it is then that there is no space.
fn fill_a_disk(round: u64, take_for_done: bool) -> result::Result<Met, String> {
    let level = ["always", "interval", "os"][round as usize % 3];
    let segment_bytes = if round.is_multiple_of(2) { 4 << 10 } else { 64 << 20 };
    let disk = SmallDisk::new(3 << 20)?;
    let (dir, ballast) = (disk.path().join("store"), disk.path().join("ballast"));
    fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let options = KvStoreOptions::new().durability(level.parse()?).segment_bytes(segment_bytes);
    let store = options.open(&dir).map_err(|error| error.to_string())?;
    let server = Local::start(store.clone(), Limits::default());
    let (mut client, mut met) = (KvsClient::connect(server.addr).unwrap(), Met::default());
    met.fill(&mut client, 0)?;
    fs::remove_file(&ballast).unwrap();
    let resumed = met.expected.write(&mut client, "resumed", Some("yes".to_owned()));
    resumed.map_err(|error| format!("there is room again, and it says: {error}"))?;
    met.fill(&mut client, 100_000)?;
    let segments = store.stats().segments;
    if round.is_multiple_of(2) && segments < 10 {
        return Err(format!("only {segments} segments"));
    }
    drop((client, server, store));
    if take_for_done {
        met.expected.take_all_for_done();
    }
    // Where there is room for what an open needs.
    let copy = TempDir::new().unwrap();
    copy_dir(&dir, copy.path());
    let store = KvStore::open(copy.path()).map_err(|error| error.to_string())?;
    met.read += met.expected.check(|key| store.get(key))?;
    Ok(met)
}

pub(crate) fn refuses_writes(run: Run) -> Outcome {
    let take_for_done = run.injects("a refused write taken for done");
    let met = for_each(run.seeds(20, 400), |round| fill_a_disk(round, take_for_done))?;
    let sum = |part: fn(&Met) -> u64| met.iter().map(part).sum::<u64>();
    Ok(vec![
        count(met.len(), "servers that ran out of space", run.pick(20, 400)),
        count(sum(|met| met.refused), "writes refused with a message", run.pick(200, 4_000)),
        count(sum(|met| met.read), "reads meanwhile and after", run.pick(20_000, 400_000)),
    ])
}

/// One sync of a server fails, and those after it would not. Returns how many writes were refused, and
/// how much was read.
fn fail_a_sync(level: &str, at: u64, take_for_done: bool) -> result::Result<(u64, u64), String> {
    let dir = TempDir::new().unwrap();
    let inject = format!("inject=fdatasync:error=EIO:when={at}");
    let strace = ["-o", "/dev/null", "-e", "trace=fdatasync", "-e", &inject];
    let server = under_strace(&strace, &["--durability", level], dir.path())?;
    let mut client = KvsClient::connect(server.addr).unwrap();
    let (mut expected, mut writes) = (Expected::default(), 0);
    let mut set = |client: &mut KvsClient| -> Result<()> {
        writes += 1;
        expected.write(client, &format!("k{}", writes % 7), Some(writes.to_string()))
    };
    // Each write is synced, or those of some milliseconds are; on a busy disk it may take seconds.
    until(&format!("at level {level} sync {at} fails, and a write"), || set(&mut client).is_err());
    for _ in 0..50 {
        match set(&mut client) {
            Err(error) if error.to_string().contains("no more writes until") => {}
            other => return Err(format!("after a sync that failed: {other:?}")),
        }
    }
    let read = expected.check(|key| client.get(key))?;
    drop(client);
    server.terminate();
    if take_for_done {
        expected.take_all_for_done();
    }
    let server = kvs_server(&["--durability", "always"], dir.path());
    let mut client = KvsClient::connect(server.addr).unwrap();
    let read_later = expected.check(|key| client.get(key))?;
    client.set("k0".to_owned(), "resumed".to_owned()).map_err(|error| error.to_string())?;
    Ok((50, read + read_later))
}

pub(crate) fn stops_writes(run: Run) -> Outcome {
    let take_for_done = run.injects("a refused write taken for done");
    let syncs = run.pick(20, 200);
    let mut servers = Vec::new();
    for level in ["always", "interval=5"] {
        // The first ones are those of the start, which is refused then.
        servers.extend(for_each(10..10 + syncs, |at| fail_a_sync(level, at, take_for_done))?);
    }
    let (count_of_servers, (refused, read)) = (servers.len(), sums(servers));
    Ok(vec![
        count(count_of_servers, "servers whose sync failed once", 2 * syncs),
        count(refused, "writes refused after it", 100 * syncs),
        count(read, "reads meanwhile and after", 25 * syncs),
    ])
}
