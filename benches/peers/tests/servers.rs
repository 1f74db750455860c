#![allow(clippy::unwrap_used)]
//! The servers' half of the program, with as little to do as it takes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// `peers servers`, which finds programs by this `PATH`.
fn servers(path: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peers"));
    command.env("PATH", path).env("LC_ALL", "C").arg("servers").args(args).output().unwrap()
}

fn path() -> PathBuf {
    std::env::var_os("PATH").unwrap().into()
}

/// The program `kvs`, built if it is not there.
fn kvs() -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "-p", "final", "--message-format", "json", "--manifest-path", root]);
    let output = cargo.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    let messages =
        lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let kvs = messages.filter(|message| message["target"]["name"] == "kvs");
    let mut executables =
        kvs.filter_map(|message| Some(message["executable"].as_str()?.to_owned()));
    executables.next().unwrap()
}

#[test]
fn every_workload_runs_on_every_server_that_is_there() {
    let dir = TempDir::new().unwrap();
    let json = dir.path().join("record.json");
    let small = ["--seconds", "0.1", "--idle", "100", "--kvs", &kvs(), "--json"];
    let small = [&small[..], &[json.to_str().unwrap()]].concat();
    let done = servers(&path(), &[&["quick"][..], &small].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    let record: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let samples = record["samples"].as_array().unwrap().len();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(samples, said.matches("round 1: ").count());
    for server in ["kvs-queue", "kvs-rayon", "kvs-naive", "echo"] {
        assert!(said.contains(&format!("idle on {server}\n")), "{said}");
    }
    // A second run goes on with the record of the first, and both make the same tables.
    let more = ["quick", "--only", "get16", "--servers", "kvs-queue,echo"];
    let more = servers(&path(), &[&more[..], &small].concat());
    assert!(more.status.success(), "{}", String::from_utf8_lossy(&more.stderr));
    let again = servers(&path(), &["tables", json.to_str().unwrap()]);
    assert_eq!(more.stdout, again.stdout);
    let tables = String::from_utf8(more.stdout).unwrap();
    assert!(tables.contains("| idle connections | 100 |"), "{tables}");
}

#[test]
fn what_is_not_installed_is_left_out_and_named() {
    // What the program itself needs, and nothing else.
    let all = path();
    let bin = TempDir::new().unwrap();
    for program in ["git", "date"] {
        let found = std::env::split_paths(&all).map(|dir| dir.join(program));
        symlink(found.into_iter().find(|file| file.exists()).unwrap(), bin.path().join(program))
            .unwrap();
    }
    let peers = ["--servers", "redis,memcached,echo", "--only", "get16,calls"];
    let done = servers(bin.path(), &[&["quick", "--seconds", "0.05"][..], &peers].concat());
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{said}");
    for (what, program) in
        [("redis", "redis-server"), ("memcached", "memcached"), ("calls", "strace")]
    {
        let line = format!("{what} is left out: `{program}` cannot be started: ");
        assert_eq!(said.matches(&line).count(), 1, "{said}");
    }
    assert!(said.contains("get16 on echo"), "{said}");
}

#[test]
fn without_kvs_it_is_said_how_to_build_it() {
    let refused = servers(&path(), &["quick", "--kvs", "/nowhere/kvs"]);
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("no program /nowhere/kvs") && said.contains("cargo build"), "{said}");
}

#[test]
fn a_server_that_does_not_start_is_named_with_what_it_said() {
    let only = ["--servers", "kvs-queue", "--only", "get16"];
    // It is a program, and takes no `server`.
    let refused = servers(&path(), &[&["quick", "--kvs", "/bin/ls"][..], &only].concat());
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("get16 on kvs-queue: /bin/ls ended with exit status"), "{said}");
    assert!(said.contains("unrecognized option"), "{said}");
}
