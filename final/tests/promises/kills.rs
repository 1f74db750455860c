//! The real server, killed at every system call that it makes for a script.

use super::possible::Possible;
use super::row::{Outcome, Size, Stop, count, each, failed};
use super::support::process::KVS;
use super::support::server::Server;
use fastrand::Rng;
use kvs_final::{KvStore, KvsClient, KvsEngine, KvsError};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// The system calls that do something with files and sockets. Those of the others that are between
/// two of these change nothing that the next open could see.
const CALLS: &str = "trace=%file,%desc,%network";

/// The number of the signal.
pub(super) const KILL: i32 = 9;

/// The server, with `strace` and these options. It is our child, and `strace` is not.
fn traced(options: &[&str], dir: &Path) -> Result<Server, String> {
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qq"]).args(options);
    command.args([KVS, "server", "--durability", "always", "--threads", "2"]);
    Server::start(&mut command, dir)
}

/// Whether `strace` can be used here.
pub(crate) fn strace_works() -> Result<(), Stop> {
    match Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status() {
        Ok(status) if status.success() => Ok(()),
        other => Err(Stop::Skipped(format!("strace does not run: {other:?}"))),
    }
}

/// What is asked: a key and its new value, or none to remove it.
type Script = Vec<(String, Option<String>)>;

/// Small and long writes, removals of what is there, and so much dead that a compaction follows.
fn script(seed: u64) -> Script {
    let mut random = Rng::with_seed(seed);
    let mut there = BTreeSet::new();
    let step = |number: usize| {
        if (16..27).contains(&number) {
            let value = format!("{number}{}", "v".repeat(900 << 10));
            return (format!("large{}", number % 2), Some(value));
        }
        let key = format!("k{}", random.u8(0..3));
        if random.u8(0..4) == 0 && there.remove(&key) {
            return (key, None);
        }
        there.insert(key.clone());
        (key, Some(number.to_string()))
    };
    (0..43).map(step).collect()
}

/// Asks until the end of the script or of the server.
fn ask(server: &Server, script: &Script) -> (Possible, Result<(), KvsError>) {
    let mut done = Possible::default();
    let mut ask = || {
        let mut client = KvsClient::connect(server.addr)?;
        for (key, value) in script.clone() {
            let result = match value.clone() {
                Some(value) => client.set(key.clone(), value),
                None => client.remove(key.clone()),
            };
            done.note(&key, value, &result);
            result?;
        }
        while client.stats()?.contains("compactions 0\n") {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    };
    let asked = ask();
    (done, asked)
}

/// What was asked of a server, and whether it was killed. If it was not, it answered everything, and
/// stopped in good order when it was told to.
fn play(server: Server, script: &Script) -> Result<(Possible, bool), String> {
    let (done, asked) = ask(&server, script);
    let (status, log) = if asked.is_ok() { server.terminate() } else { server.end() };
    match (status.signal(), asked) {
        (Some(KILL), _) => Ok((done, true)),
        (None, Ok(())) if status.success() => Ok((done, false)),
        (_, asked) => Err(format!("it ended with {status}: {asked:?}, {log}")),
    }
}

/// How often each call is made by the thread that makes it most often.
fn points(script: &Script) -> Result<Vec<(String, usize)>, String> {
    let (place, dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let log = place.path().join("calls");
    play(traced(&["-e", CALLS, "-o", log.to_str().unwrap()], dir.path())?, script)?;
    let mut calls: BTreeMap<(String, String), usize> = BTreeMap::new();
    let text = fs::read(&log).unwrap();
    for line in String::from_utf8_lossy(&text).lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if call.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            *calls.entry((call.to_owned(), thread.to_owned())).or_default() += 1;
        }
    }
    let mut most: BTreeMap<String, usize> = BTreeMap::new();
    for ((call, _), times) in calls {
        let most = most.entry(call).or_default();
        *most = times.max(*most);
    }
    let each = |(call, times): (String, usize)| (1..=times).map(move |at| (call.clone(), at));
    Ok(most.into_iter().flat_map(each).collect())
}

/// Runs the script, kills the server when a thread comes to its so-manieth call of this name, and
/// looks at what is there. Returns how many writes were acknowledged, and whether it came to that call.
fn kill_at(
    script: &Script,
    (call, at): &(String, usize),
    take_for_done: bool,
) -> Result<(u64, bool), String> {
    let words = |error: String| format!("killed at {call} {at}: {error}");
    let dir = TempDir::new().unwrap();
    let inject = format!("inject={call}:signal=KILL:when={at}");
    let options = ["-e", &format!("trace={call}"), "-e", &inject, "-o", "/dev/null"];
    let (done, was_killed) = match traced(&options, dir.path()) {
        Ok(server) => play(server, script).map_err(words)?,
        // It died before it listened, so nothing was promised.
        Err(log) if log.ends_with("signal: 9 (SIGKILL)\n") => (Possible::default(), true),
        Err(log) => return Err(words(log)),
    };
    let done = if take_for_done { done.all_done() } else { done };
    for _ in 0..2 {
        let store = KvStore::open(dir.path()).map_err(|error| words(error.to_string()))?;
        done.check(|key| store.get(key)).map_err(words)?;
    }
    Ok((done.acknowledged, was_killed))
}

fn everywhere(size: Size, take_for_done: bool) -> Outcome {
    strace_works()?;
    let scripts = size.pick(1, 10);
    let (mut kills, mut acknowledged) = (0, 0);
    for seed in size.seed..size.seed + scripts {
        let script = script(seed);
        let points = points(&script).map_err(failed(seed))?;
        let kill = |number| kill_at(&script, &points[number as usize], take_for_done);
        let ends = each(seed, 0..points.len() as u64, kill)?;
        kills += ends.iter().filter(|(_, was_killed)| *was_killed).count() as u64;
        acknowledged += ends.iter().map(|(acknowledged, _)| acknowledged).sum::<u64>();
    }
    Ok(vec![
        // The threads do not make quite as many calls each time.
        count(kills, "kills, each at another system call", 300 * scripts),
        count(acknowledged, "acknowledged writes", 1_000 * scripts),
    ])
}

pub(crate) fn at_every_call(size: Size) -> Outcome {
    everywhere(size, false)
}

/// A write that was under way when the server died, taken for one that was acknowledged.
pub(crate) fn unanswered_taken_for_done(size: Size) -> Outcome {
    everywhere(size, true)
}
