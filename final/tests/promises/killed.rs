//! `kill -9` of the real server under load, again and again on the same directory.

use super::history::{Checker, Op};
use super::kills::KILL;
use super::load::{self, Load, Numbers};
use super::row::{Outcome, Size, count, failed};
use super::support::process::kvs_server;
use fastrand::Rng;
use kvs_final::KvsClient;
use std::collections::HashMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use tempfile::TempDir;

const CLIENTS: usize = 8;
const LOAD: Load = Load { keys: 24, steady: 8, apart: false, operations: usize::MAX };

/// Every file of a directory.
fn files(dir: &Path) -> HashMap<std::path::PathBuf, Vec<u8>> {
    let paths = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Kills so many times a server that has these options too. If it `forgets`, the directory is now and
/// then as it was before a round.
fn kill(rounds: u64, more: &[&str], forgets: bool, seed: u64) -> Result<(u64, u64), String> {
    let dir = TempDir::new().unwrap();
    let (mut checker, mut numbers) = (Checker::default(), Numbers::default());
    let mut random = Rng::with_seed(seed);
    let (mut operations, mut acknowledged) = (0, 0);
    for round in 0..=rounds {
        numbers.begin_stretch();
        let words = |error| format!("after {round} kills: {error}");
        let before = if forgets { files(dir.path()) } else { HashMap::new() };
        let level = ["always", "interval", "os"][round as usize % 3];
        let pool = ["naive", "queue", "rayon"][round as usize / 3 % 3];
        let options = ["--durability", level, "--pool", pool, "--threads", "4"];
        let mut server = kvs_server(&[&options, more].concat(), &dir);
        let connect = |_| KvsClient::connect(server.addr).unwrap();
        let mut clients: Vec<KvsClient> = (0..CLIENTS).map(connect).collect();
        let mut events = load::look(&mut clients[0], LOAD.keys, &numbers).map_err(words)?;
        let end = numbers.moments() + random.u32(0..4_000);
        let kill = || {
            server.child.kill().unwrap();
            server.child.wait().unwrap()
        };
        let ended = load::run_until(&mut clients, LOAD, &numbers, seed << 32 | round, end, kill);
        let ended = ended.map_err(words)?;
        if ended.said.signal() != Some(KILL) {
            return Err(words(format!("it had ended before, with {}", ended.said)));
        }
        events.extend(ended.events);
        let answered = events.iter().filter(|event| event.end.is_some());
        operations += answered.clone().count() as u64;
        acknowledged += answered.filter(|event| !matches!(event.op, Op::Found(_))).count() as u64;
        let crash = numbers.moment();
        checker.check(events, &[crash]).map_err(|error| words(error.to_string()))?;
        if forgets && round % 5 == 4 {
            files(dir.path()).keys().for_each(|path| fs::remove_file(path).unwrap());
            before.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        }
    }
    Ok((operations, acknowledged))
}

pub(crate) fn under_load(size: Size) -> Outcome {
    let rounds = size.pick(100, 2_000);
    let (operations, acknowledged) =
        kill(rounds, &[], false, size.seed).map_err(failed(size.seed))?;
    Ok(vec![
        count(rounds, "kills, each followed by an open", rounds),
        count(operations, "answered operations of 8 clients", 200 * rounds),
        count(acknowledged, "acknowledged writes among them", 50 * rounds),
    ])
}

pub(crate) fn on_a_disk_that_forgets(size: Size) -> Outcome {
    kill(20, &[], true, size.seed).map_err(failed(size.seed))?;
    Ok(Vec::new())
}

/// It refuses every third value, so the clients stop before they are stopped.
pub(crate) fn although_it_refuses(size: Size) -> Outcome {
    kill(20, &["--max-value", "20"], false, size.seed).map_err(failed(size.seed))?;
    Ok(Vec::new())
}
