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
    let of = |engine: &str| {
        record.samples.iter().filter(|sample| sample.of.ends_with(&format!("/{engine}"))).count()
    };
    assert_eq!(["sled", "redb", "fjall", "raw"].map(of), [7, 7, 7, 1]);
    assert!(of("kvs") == of("lmdb") && of("kvs") >= 7);
    for engine in ["kvs", "fjall", "lmdb"] {
        assert_eq!(record.rounds_of(&format!("load/{engine}"), "lost").unwrap().all(), [0.0]);
    }
}

#[test]
fn each_server_that_is_installed_does_each_workload() {
    let record = round("servers");
    let servers = |work: &str| record.samples.iter().filter(|s| s.of.starts_with(work)).count();
    assert!(servers("get16/") >= 3);
    assert_eq!(servers("connect16/"), servers("get16/"));
    assert_eq!(["one-core/", "cold/"].map(servers), [1, 1]);
}
