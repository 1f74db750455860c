//! `kill -9` of the real server under load, again and again on the same directory.

use super::history::Checker;
use super::load::{self, Numbers};
use super::promise::{Outcome, Run, count};
use super::server::{KILL, kvs_server};
use kvs_final::KvsClient;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::HashMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const CLIENTS: usize = 8;

/// Every file of a directory.
fn files(dir: &Path) -> HashMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

/// Kills so many times a server that has these options too. If the disk `forgets`, the directory is
/// now and then as it was before a round. Returns how many operations were answered, and how many
/// writes were among them.
fn kill(rounds: u64, more: &[&str], forgets: bool, seed: u64) -> Result<(u64, u64), String> {
    let dir = TempDir::new().unwrap();
    let (mut checker, mut numbers) = (Checker::default(), Numbers::default());
    let mut random = StdRng::seed_from_u64(seed);
    let (mut operations, mut acknowledged) = (0, 0);
    for round in 0..=rounds {
        numbers.begin_stretch();
        let after = |error| format!("after {round} kills: {error}");
        let before = if forgets { files(dir.path()) } else { HashMap::new() };
        let level = ["always", "interval", "os"][round as usize % 3];
        let pool = ["naive", "queue", "rayon"][round as usize / 3 % 3];
        let options = ["--durability", level, "--pool", pool, "--threads", "4"];
        let mut server = kvs_server(&[&options, more].concat(), dir.path());
        let connect = |_| KvsClient::connect(server.addr).unwrap();
        let mut clients: Vec<KvsClient> = (0..CLIENTS).map(connect).collect();
        let moments = random.random_range(0..4_000);
        let kill = || {
            server.child.kill().unwrap();
            server.child.wait().unwrap()
        };
        let ended = load::run_until(&mut clients, &numbers, seed << 32 | round, moments, kill);
        let ended = ended.map_err(after)?;
        if ended.result.signal() != Some(KILL) {
            return Err(after(format!("it had ended before, with {}", ended.result)));
        }
        let answered = ended.events.iter().filter(|event| event.end.is_some());
        operations += answered.clone().count() as u64;
        acknowledged += answered.filter(|event| !event.op.is_read()).count() as u64;
        checker.check(ended.events, true).map_err(after)?;
        if forgets && round % 5 == 4 {
            files(dir.path()).keys().for_each(|path| fs::remove_file(path).unwrap());
            before.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        }
    }
    Ok((operations, acknowledged))
}

pub(crate) fn loses_nothing(run: Run) -> Outcome {
    let forgets = run.injects("a disk that forgets");
    // Then it refuses every third value, so the clients stop before they are stopped.
    let refuses = run.injects("a server that refuses what it should take");
    let more: &[&str] = if refuses { &["--max-value", "20"] } else { &[] };
    let kills = run.pick(100, 2_000);
    let (operations, acknowledged) = kill(kills, more, forgets, run.seed)?;
    Ok(vec![
        count(kills, "kills, each followed by an open", kills),
        count(operations, "answered operations of 8 clients", 200 * kills),
        count(acknowledged, "acknowledged writes among them", 50 * kills),
    ])
}
