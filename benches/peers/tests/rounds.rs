//! Each workload on each engine and each server, with as little to do as it takes.
#![allow(clippy::unwrap_used)]

use kvs_bench_kit::Record;
use std::process::Command;
use tempfile::TempDir;

/// The record of a round.
fn round(what: &str) -> Record {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("record.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_peers"));
    let done = command.args([what, "--test", "--json"]).arg(&path).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Record::read(&path).unwrap()
}

#[test]
fn each_engine_does_each_workload_and_none_that_promises_them_loses_keys() {
    let record = round("engines");
    assert_eq!(record.samples.len(), 6 * 5);
    for engine in ["kvs", "fjall", "lmdb"] {
        assert_eq!(record.rounds_of(&format!("load/{engine}"), "lost").unwrap().all(), [0.0]);
    }
}

#[test]
fn each_server_that_is_installed_does_each_workload() {
    let record = round("servers");
    let servers = record.samples.iter().filter(|sample| sample.of.starts_with("get16/")).count();
    let works = record.samples.len() / servers;
    assert!(servers >= 3 && [9, 10].contains(&works), "{works} workloads on {servers} servers");
}
