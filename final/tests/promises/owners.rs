//! A directory has one owner.

use super::row::{Outcome, Size, count, each, failed};
use super::support::process::{KVS, kvs_server};
use super::support::server::Server;
use kvs_final::KvsClient;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Starts a second server on a directory, which must be refused in words.
fn is_refused(dir: &Path) -> Result<(), String> {
    match Server::start(Command::new(KVS).arg("server"), dir) {
        Err(log) if log.contains("in use by another store") => Ok(()),
        Err(log) => Err(format!("it ends with other words: {log}")),
        Ok(_) => Err("it is let in".to_owned()),
    }
}

/// As many as `size` says, some at a time, while the first one serves.
pub(crate) fn of_a_directory_in_use(size: Size) -> Outcome {
    let dir = TempDir::new().unwrap();
    let server = kvs_server(&[], &dir);
    let mut client = KvsClient::connect(server.addr).unwrap();
    let rounds = size.pick(5, 50);
    let refused = each(size.seed, 0..rounds, |_| {
        let threads: Vec<_> = (0..20)
            .map(|_| {
                let dir = dir.path().to_owned();
                std::thread::spawn(move || is_refused(&dir))
            })
            .collect();
        let count = threads.len() as u64;
        threads.into_iter().try_for_each(|thread| thread.join().unwrap())?;
        Ok(count)
    })?;
    let words = |error: kvs_final::KvsError| failed(size.seed)(error.to_string());
    client.set("k".to_owned(), "v".to_owned()).map_err(words)?;
    let found = client.get("k".to_owned()).map_err(words)?;
    assert_eq!(found.as_deref(), Some("v"));
    let refused: u64 = refused.into_iter().sum();
    Ok(vec![count(refused, "second servers refused", 20 * rounds)])
}

/// One that is not in use.
pub(crate) fn of_another_directory(size: Size) -> Outcome {
    let dir = TempDir::new().unwrap();
    is_refused(dir.path()).map_err(failed(size.seed))?;
    Ok(Vec::new())
}
