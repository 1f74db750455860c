//! The real server on a disk that is full, and on one whose sync fails.

use super::kills::strace_works;
use super::load::{Client, Direct};
use super::possible::Possible;
use super::row::{Outcome, Size, Stop, count, each, failed, over};
use super::support::local::until;
use super::support::process::{KVS, kvs_server_in};
use super::support::server::Server;
use kvs_final::{KvStore, KvStoreOptions, KvsClient, KvsEngine, KvsError};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Shorter than a value: every write begins one.
const SEGMENT: u32 = 4 << 10;

/// A file system in memory of three megabytes.
struct Small(TempDir);

impl Small {
    fn new() -> Result<Small, String> {
        let small = Small(TempDir::new().unwrap());
        let mount = ["-t", "tmpfs", "-o", "size=3m", "tmpfs"];
        let output = Command::new("mount").args(mount).arg(small.dir()).output();
        match output.map_err(|error| error.to_string())? {
            output if output.status.success() => Ok(small),
            output => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.dir()).status();
    }
}

/// Writes new keys until one is refused, and says why.
fn fill(client: &mut impl Client, done: &mut Possible, from: usize) -> Result<KvsError, String> {
    for number in from..from + 2_000 {
        let (key, value) = (format!("k{number}"), "v".repeat(10_000));
        let result = client.set(key.clone(), value.clone());
        done.note(&key, Some(value), &result);
        if let Err(error) = result {
            return Ok(error);
        }
    }
    Err("the disk is never full".to_owned())
}

/// What came of a server's troubles.
#[derive(Default)]
struct Met {
    refused: u64,
    read: u64,
    resumed: u64,
}

/// Fills the disk of a store, looks, makes room by deleting the ballast, fills that, and looks again.
fn fill_twice(
    client: &mut impl Client,
    ballast: &Path,
    done: &mut Possible,
) -> Result<Met, String> {
    let mut met = Met::default();
    for from in [0, 100_000] {
        for again in 0..20 {
            let error = fill(client, done, from + again * 1_000)?.to_string();
            if !error.contains("No space left") {
                return Err(format!("the disk is full, and it says: {error}"));
            }
            met.read += done.check(|key| client.get(key))?;
        }
        met.refused += 20;
        if from == 0 {
            fs::remove_file(ballast).unwrap();
            let result = client.set("resumed".to_owned(), "yes".to_owned());
            done.note("resumed", Some("yes".to_owned()), &result);
            result.map_err(|error| format!("there is room again, and it says: {error}"))?;
            met.resumed += 1;
        }
    }
    Ok(met)
}

/// Has `run` fill a small disk, and opens what it leaves there.
fn fill_the_disk(
    take_for_done: bool,
    run: impl FnOnce(&Path, &Path, &mut Possible) -> Result<Met, String>,
) -> Result<Met, String> {
    let disk = Small::new()?;
    let ballast = disk.dir().join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let (dir, mut done) = (disk.dir().join("store"), Possible::default());
    let mut met = run(&dir, &ballast, &mut done)?;
    let done = if take_for_done { done.all_done() } else { done };
    // Where there is room for what an open needs.
    let copy = TempDir::new().unwrap();
    for file in fs::read_dir(&dir).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let store = KvStore::open(copy.path()).map_err(|error| error.to_string())?;
    met.read += done.check(|key| store.get(key))?;
    Ok(met)
}

/// The disk of a server.
fn fill_a_server(level: &str, take_for_done: bool) -> Result<Met, String> {
    fill_the_disk(take_for_done, |dir, ballast, done| {
        let server = kvs_server_in(&["--durability", level], dir);
        let mut client = KvsClient::connect(server.addr).unwrap();
        let met = fill_twice(&mut client, ballast, done)?;
        drop(client);
        server.terminate();
        Ok(met)
    })
}

/// The disk of a store whose segments are so small that it fills up while the next one is begun.
fn fill_a_store(level: &str, take_for_done: bool) -> Result<Met, String> {
    fill_the_disk(take_for_done, |dir, ballast, done| {
        let options = KvStoreOptions::new().durability(level.parse()?).segment_bytes(SEGMENT);
        let store = options.open(dir).map_err(|error| error.to_string())?;
        let met = fill_twice(&mut Direct(store.clone()), ballast, done)?;
        match store.stats().segments {
            segments @ 0..10 => Err(format!("only {segments} segments")),
            _ => Ok(met),
        }
    })
}

/// A server one of whose system calls meets this fault.
fn faulty_server(call: &str, fault: &str, level: &str, dir: &Path) -> Result<Server, String> {
    let mut command = Command::new("strace");
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{fault}"));
    command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
    Server::start(command.args([KVS, "server", "--durability", level]), dir)
}

/// A server that begins a segment where there is no space to rename a file: some file systems want
/// some. The first rename of each thread fails.
fn fail_a_rename() -> Result<Met, String> {
    let dir = TempDir::new().unwrap();
    // An open after a kill renames nothing.
    let mut server = kvs_server_in(&[], dir.path());
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let server = faulty_server("rename", "error=ENOSPC:when=1", "os", dir.path())?;
    let mut client = KvsClient::connect(server.addr).unwrap();
    let (mut done, mut met) = (Possible::default(), Met::default());
    // More than is in one segment.
    for number in 0..90 {
        let (key, value) = (format!("k{number}"), "v".repeat(900 << 10));
        let result = client.set(key.clone(), value.clone());
        done.note(&key, Some(value), &result);
        match result {
            Ok(()) => met.resumed = u64::from(met.refused > 0),
            Err(error) if error.to_string().contains("No space left") => met.refused += 1,
            Err(error) => return Err(format!("a rename failed, and the server says: {error}")),
        }
    }
    if met.resumed == 0 {
        return Err(format!("{} writes were refused, and none succeeded after it", met.refused));
    }
    met.read += done.check(|key| client.get(key))?;
    drop(client);
    server.terminate();
    let store = KvStore::open(dir.path()).map_err(|error| error.to_string())?;
    met.read += done.check(|key| store.get(key))?;
    Ok(met)
}

fn full(size: Size, take_for_done: bool) -> Outcome {
    drop(Small::new().map_err(Stop::Skipped)?);
    strace_works()?;
    let rounds = size.seed..size.seed + size.pick(10, 200);
    let level = |round: u64| ["always", "interval", "os"][round as usize % 3];
    let mut met = over(rounds.clone(), |round| fill_a_server(level(round), take_for_done))?;
    met.extend(over(rounds, |round| fill_a_store(level(round), take_for_done))?);
    met.push(fail_a_rename().map_err(failed(size.seed))?);
    let sum = |part: fn(&Met) -> u64| met.iter().map(part).sum::<u64>();
    Ok(vec![
        count(
            sum(|met| met.resumed),
            "servers and stores that ran out of space",
            size.pick(21, 401),
        ),
        count(sum(|met| met.refused), "writes refused in words", size.pick(200, 4_000)),
        count(sum(|met| met.read), "reads meanwhile and after", size.pick(20_000, 400_000)),
    ])
}

pub(crate) fn on_a_full_disk(size: Size) -> Outcome {
    full(size, false)
}

pub(crate) fn refused_taken_for_done(size: Size) -> Outcome {
    full(size, true)
}

/// One sync of a server fails, and those after it would not.
fn fail_a_sync(level: &str, at: u64, take_for_done: bool) -> Result<Met, String> {
    let dir = TempDir::new().unwrap();
    let server = faulty_server("fdatasync", &format!("error=EIO:when={at}"), level, dir.path())?;
    let mut client = KvsClient::connect(server.addr).unwrap();
    let (mut done, mut met) = (Possible::default(), Met::default());
    let mut set = |client: &mut KvsClient, number: u64| {
        let (key, value) = (format!("k{}", number % 7), number.to_string());
        let result = client.set(key.clone(), value.clone());
        done.note(&key, Some(value), &result);
        result
    };
    // Each write is synced, or those of some milliseconds are; on a busy disk it may take seconds.
    let mut first = 0;
    until(&format!("at level {level} sync {at} fails, and a write"), || {
        first += 1;
        set(&mut client, first).is_err()
    });
    for number in first..first + 50 {
        match set(&mut client, number) {
            Err(error) if error.to_string().contains("no more writes until") => met.refused += 1,
            other => return Err(format!("after a sync that failed: {other:?}")),
        }
    }
    met.read += done.check(|key| client.get(key))?;
    drop(client);
    server.terminate();
    let done = if take_for_done { done.all_done() } else { done };
    let server = kvs_server_in(&["--durability", "always"], dir.path());
    let mut client = KvsClient::connect(server.addr).unwrap();
    met.read += done.check(|key| client.get(key))?;
    client.set("k0".to_owned(), "resumed".to_owned()).map_err(|error| error.to_string())?;
    met.resumed += 1;
    Ok(met)
}

fn syncs(size: Size, take_for_done: bool) -> Outcome {
    strace_works()?;
    // The first ones are those of the start, which is refused then.
    let mut met = Vec::new();
    for level in ["always", "interval=5"] {
        let fail = |at| fail_a_sync(level, at, take_for_done);
        met.extend(each(size.seed, 10..10 + size.pick(20, 200), fail)?);
    }
    let sum = |part: fn(&Met) -> u64| met.iter().map(part).sum::<u64>();
    let refused = sum(|met| met.refused);
    if refused == 0 {
        return Err(failed(size.seed)("no write was refused".to_owned()));
    }
    Ok(vec![
        count(sum(|met| met.resumed), "servers whose sync failed once", size.pick(40, 400)),
        count(refused, "writes refused after it", size.pick(2_000, 20_000)),
        count(sum(|met| met.read), "reads meanwhile and after", size.pick(500, 5_000)),
    ])
}

pub(crate) fn after_a_failed_sync(size: Size) -> Outcome {
    syncs(size, false)
}

pub(crate) fn refused_after_it_taken_for_done(size: Size) -> Outcome {
    syncs(size, true)
}
