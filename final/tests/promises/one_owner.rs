//! A directory has one owner.

use super::promise::{Outcome, Run, count, for_each};
use super::server::{KVS, kvs_server};
use kvs_test_kit::Server;
use std::path::Path;
use std::process::Command;
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
pub(crate) fn refuses_others(run: Run) -> Outcome {
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
    assert_eq!(client.ask(r#"{"Set":{"key":"k","value":"v"}}"#), r#"{"Ok":null}"#);
    assert_eq!(client.ask(r#"{"Get":{"key":"k"}}"#), r#"{"Ok":"v"}"#);
    Ok(vec![count(20 * rounds, "second servers refused", 20 * rounds)])
}
