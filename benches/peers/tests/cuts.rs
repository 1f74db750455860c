#![allow(clippy::unwrap_used)]
//! The power cuts, few of them.

use std::fs;
use std::process::Command;
use tempfile::TempDir;

#[test]
fn what_is_left_is_counted_for_every_engine() {
    let dir = TempDir::new().unwrap();
    let json = dir.path().join("record.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_peers"));
    let done = command.args(["cuts", "--cuts", "2", "--json"]).arg(&json).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    if !done.status.success() && ["mkfs", "mount", "xfs_io"].iter().any(|what| said.contains(what))
    {
        println!("left out: {said}");
        return;
    }
    assert!(done.status.success(), "{said}");
    let record: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let samples = record["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 6, "{said}");
    for sample in samples {
        assert!(sample["acknowledged"].as_u64().unwrap() >= 40, "{sample}");
        if sample["engine"] == "kvs" {
            assert_eq!((&sample["lost"], &sample["unopened"]), (&0.into(), &0.into()), "{sample}");
        }
    }
}
