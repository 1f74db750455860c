//! The real server, killed at every system call that it makes for a script.

use super::possible::Possible;
use super::row::{Outcome, Size, Stop, count, failed, over};
use super::support::process::KVS;
use super::support::server::Server;
use kvs_final::{KvStore, KvsClient, KvsEngine};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// The system calls that do something with files and sockets. Those of the others that are between
/// two of these change nothing that the next open could see.
const CALLS: &str = "trace=%file,%desc,%network";

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

/// The script: small and long writes, removals, and so much dead that a compaction follows. It ends
/// where the server does. At its end, the server is stopped if it still runs.
fn play(server: Server) -> Possible {
    let mut done = Possible::default();
    let Ok(mut client) = KvsClient::connect(server.addr) else {
        return done;
    };
    let long = |number: usize| format!("{number}{}", "v".repeat(900 << 10));
    let small = (0..16).map(|number| match number % 5 {
        4 => (format!("k{}", number % 3), None),
        _ => (format!("k{}", number % 3), Some(number.to_string())),
    });
    let large = (0..11).map(|number| (format!("large{}", number % 2), Some(long(number))));
    for (key, value) in small.clone().chain(large).chain(small) {
        let result = match value.clone() {
            Some(value) => client.set(key.clone(), value),
            None => client.remove(key.clone()),
        };
        done.note(&key, value, &result);
        if result.is_err() {
            return done;
        }
    }
    while client.stats().is_ok_and(|stats| stats.contains("compactions 0\n")) {
        thread::sleep(Duration::from_millis(1));
    }
    drop(client);
    server.terminate();
    done
}

/// How often each call is made by the thread that makes it most often.
fn points() -> Result<Vec<(String, usize)>, Stop> {
    strace_works()?;
    let (place, dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let log = place.path().join("calls");
    let server = traced(&["-e", CALLS, "-o", log.to_str().unwrap()], dir.path());
    play(server.map_err(failed(0))?);
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
/// looks at what is there. Returns how many writes were acknowledged.
fn kill_at(call: &str, at: usize, take_for_done: bool) -> Result<u64, String> {
    let dir = TempDir::new().unwrap();
    let inject = format!("inject={call}:signal=KILL:when={at}");
    let options = ["-e", &format!("trace={call}"), "-e", &inject, "-o", "/dev/null"];
    // If it died before it listened, nothing was promised.
    let done = traced(&options, dir.path()).map(play).unwrap_or_default();
    let done = if take_for_done { done.all_done() } else { done };
    let words = |error: String| format!("killed at {call} {at}: {error}");
    for _ in 0..2 {
        let store = KvStore::open(dir.path()).map_err(|error| words(error.to_string()))?;
        done.check(|key| store.get(key)).map_err(words)?;
    }
    Ok(done.acknowledged)
}

fn everywhere(size: Size, take_for_done: bool) -> Outcome {
    let points = points()?;
    let rounds = size.pick(1, 40);
    let kill = |number: u64| {
        let (call, at) = &points[number as usize % points.len()];
        kill_at(call, *at, take_for_done)
    };
    let acknowledged = over(0..rounds * points.len() as u64, kill)?;
    Ok(vec![
        count(acknowledged.len(), "system calls", 200),
        count(acknowledged.into_iter().sum::<u64>(), "acknowledged writes", 1_000),
    ])
}

pub(crate) fn at_every_call(size: Size) -> Outcome {
    everywhere(size, false)
}

/// A write that was under way when the server died, taken for one that was acknowledged.
pub(crate) fn unanswered_taken_for_done(size: Size) -> Outcome {
    everywhere(size, true)
}
