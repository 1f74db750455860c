#![allow(clippy::unwrap_used)]
//! The program, with as little to do as it takes.

use std::fs;
use std::process::{Command, Output};
use tempfile::TempDir;

fn peers(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_peers")).args(args).output().unwrap()
}

#[test]
fn every_workload_runs_on_every_engine() {
    let dir = TempDir::new().unwrap();
    let json = dir.path().join("record.json");
    let small = ["--keys", "1000", "--seconds", "0.02", "--json", json.to_str().unwrap()];
    let done = peers(&[&["quick"][..], &small].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    let record: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let samples = record["samples"].as_array().unwrap().len();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(samples, said.matches(" on ").count());
    // A second run goes on with the record of the first, and both make the same tables.
    let more = peers(&[&["quick", "--only", "get16", "--engines", "kvs"][..], &small].concat());
    assert!(more.status.success(), "{}", String::from_utf8_lossy(&more.stderr));
    let again = peers(&["tables", json.to_str().unwrap()]);
    assert_eq!(more.stdout, again.stdout);
    let tables = String::from_utf8(more.stdout).unwrap();
    assert!(tables.contains("| acknowledged keys that are lost | 0 |"), "{tables}");
}

#[test]
fn a_record_of_other_numbers_is_not_continued() {
    let dir = TempDir::new().unwrap();
    let json = dir.path().join("record.json");
    let get = ["quick", "--only", "get16", "--engines", "kvs", "--seconds", "0.01", "--json"];
    let get = [&get[..], &[json.to_str().unwrap(), "--keys"]].concat();
    assert!(peers(&[&get[..], &["100"]].concat()).status.success());
    let refused = peers(&[&get[..], &["200"]].concat());
    assert!(!refused.status.success());
    assert!(String::from_utf8(refused.stderr).unwrap().contains("with other numbers"));
}

#[test]
fn an_unknown_name_is_refused_with_those_that_there_are() {
    let refused = peers(&["quick", "--only", "got"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8(refused.stderr).unwrap().contains("there are load, get16"));
}
