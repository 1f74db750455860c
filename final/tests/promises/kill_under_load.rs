//! `kill -9` of the real server under load, again and again on the same directory.

use super::history::Event;
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

/// Starts a server with these options, and kills it under load. Returns what the clients saw.
fn kill(options: &[&str], dir: &Path, numbers: &Numbers, seed: u64) -> Result<Vec<Event>, String> {
    let mut server = kvs_server(options, dir);
    let connect = |_| KvsClient::connect(server.addr).unwrap();
    let mut clients: Vec<KvsClient> = (0..CLIENTS).map(connect).collect();
    let moments = StdRng::seed_from_u64(seed).random_range(0..4_000);
    let kill = || {
        server.child.kill().unwrap();
        server.child.wait().unwrap()
    };
    let ended = load::run_until(&mut clients, numbers, seed, moments, kill)?;
    match ended.result.signal() {
        Some(KILL) => Ok(ended.events),
        _ => Err(format!("it had ended before, with {}", ended.result)),
    }
}

pub(crate) fn loses_nothing(run: Run) -> Outcome {
    let dir = TempDir::new().unwrap();
    let kills = run.pick(100, 2_000);
    let (operations, acknowledged) = load::end_again_and_again(kills, |round, numbers| {
        let before = files(dir.path());
        let level = ["always", "interval", "os"][round as usize % 3];
        let pool = ["naive", "queue", "rayon"][round as usize / 3 % 3];
        let mut options = vec!["--durability", level, "--pool", pool, "--threads", "4"];
        if run.injects("a server that refuses what it should take") {
            // Every third value; so the clients stop before they are stopped.
            options.extend(["--max-value", "20"]);
        }
        let events = kill(&options, dir.path(), numbers, run.seed << 32 | round)?;
        if run.injects("a disk that forgets") && round % 5 == 4 {
            files(dir.path()).keys().for_each(|path| fs::remove_file(path).unwrap());
            before.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        }
        Ok(events)
    })?;
    Ok(vec![
        count(kills, "kills, each followed by an open", kills),
        count(operations, "answered operations of 8 clients", 200 * kills),
        count(acknowledged, "acknowledged writes among them", 50 * kills),
    ])
}
