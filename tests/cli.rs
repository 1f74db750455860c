//! The programs `kvs-server` and `kvs-client`, as a user types them.

use assert_cmd::Command;
use kvs_test_kit::{Server, WATCHDOG};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, is_empty};
use std::path::Path;
use tempfile::TempDir;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn client(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvs-client"));
    command.args(args).timeout(WATCHDOG);
    command
}

/// A server program that is expected to end by itself.
fn server(args: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvs-server"));
    command.args(args).arg("--dir").arg(dir).timeout(WATCHDOG);
    command
}

fn start(args: &[&str], dir: &Path) -> Server {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kvs-server"));
    Server::start(command.args(args), dir).unwrap()
}

#[test]
fn client_cli_invalid_arguments() {
    for args in [
        "",
        "get",
        "get key extra",
        "get key --addr nowhere",
        "get key --unknown flag",
        "set",
        "set key",
        "set key value extra",
        "set key value --addr 127.0.0.1:99999",
        "rm",
        "rm key extra",
        "rm key --addr 127.0.0.1",
        "unknown",
    ] {
        let args: Vec<&str> = args.split_whitespace().collect();
        client(&args).assert().failure().stdout(is_empty()).stderr(is_empty().not());
    }
}

#[test]
fn client_without_a_server_says_where_it_looked() {
    // The port was free a moment ago and nobody listens on it now.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    drop(listener);
    let refused = client(&["get", "key", "--addr", &addr]).assert().failure().stdout(is_empty());
    refused.stderr(contains("cannot connect to").and(contains(addr)));
}

#[test]
fn cli_version() {
    for program in [env!("CARGO_BIN_EXE_kvs-server"), env!("CARGO_BIN_EXE_kvs-client")] {
        Command::new(program).arg("-V").assert().success().stdout(contains(VERSION));
    }
}

#[test]
fn server_cli_invalid_arguments() {
    let dir = TempDir::new().unwrap();
    for args in [
        &["--engine", "granite"][..],
        &["--addr", "nowhere"],
        &["--addr"],
        &["extra"],
        &["--unknown", "flag"],
    ] {
        server(args, dir.path()).assert().failure().stderr(is_empty().not());
    }
}

#[cfg(from_stage = "5")]
#[test]
fn server_cli_invalid_pool() {
    let dir = TempDir::new().unwrap();
    let cases = [
        (["--pool", "whirl"], "`whirl` is no pool"),
        (["--threads", "0"], "--threads"),
        (["--threads", "-1"], "--threads"),
        (["--threads", "many"], "--threads"),
    ];
    for (args, words) in cases {
        server(&args, dir.path()).assert().failure().stderr(contains(words));
    }
}

#[test]
fn server_says_which_address_it_cannot_have() {
    let dir = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let refused = server(&["--addr", &addr], dir.path()).assert().failure();
    refused.stderr(contains(format!("cannot listen on {addr}")));
}

#[test]
fn cli_log_configuration() {
    let dir = TempDir::new().unwrap();
    let server = start(&["--engine", "kvs"], dir.path());
    let addr = server.addr.to_string();
    let (_, log) = server.terminate();
    for part in [VERSION, "engine: kvs", &addr] {
        assert!(log.contains(part), "no {part} in {log}");
    }
}

#[test]
fn a_directory_that_is_in_use_is_refused() {
    let dir = TempDir::new().unwrap();
    let _owner = start(&[], dir.path());
    let refused = server(&["--addr", "127.0.0.1:0"], dir.path()).assert().failure();
    refused.stderr(contains("in use by another store"));
}

/// Stages 0 to 4 have one engine. What they must not do is to open the other one's data.
#[cfg(not(from_stage = "5"))]
#[test]
fn cli_wrong_engine() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("engine"), "sled\n").unwrap();
    let args = ["--addr", "127.0.0.1:0", "--engine", "kvs"];
    let refused = server(&args, dir.path()).assert().failure();
    refused.stderr(contains("`sled`, not of `kvs`"));
    let args = ["--addr", "127.0.0.1:0", "--engine", "sled"];
    server(&args, dir.path()).assert().failure().stderr(contains("no `sled`"));
}

#[cfg(from_stage = "5")]
#[test]
fn cli_wrong_engine_is_refused_both_ways_and_the_right_one_is_found() {
    for (first, other) in [("kvs", "sled"), ("sled", "kvs")] {
        let dir = TempDir::new().unwrap();
        drop(start(&["--engine", first], dir.path()));
        let args = ["--addr", "127.0.0.1:0", "--engine", other];
        let refused = server(&args, dir.path()).assert().failure();
        refused.stderr(contains(format!("`{first}`, not of `{other}`")));
        let (_, log) = start(&[], dir.path()).terminate();
        assert!(log.contains(&format!("engine: {first}")), "{log}");
    }
}

/// A round of every command, over a server that is killed and started again in the middle.
fn access_server(args: &[&str]) {
    let dir = TempDir::new().unwrap();
    let server = start(args, dir.path());
    let addr = server.addr.to_string();
    let ask = |words: &[&str]| client(words).args(["--addr", &addr]).assert();

    ask(&["set", "key1", "value1"]).success().stdout(is_empty());
    ask(&["get", "key1"]).success().stdout("value1\n");
    ask(&["set", "key1", "value2"]).success().stdout(is_empty());
    ask(&["get", "key1"]).success().stdout("value2\n");
    ask(&["get", "key2"]).success().stdout("Key not found\n");
    ask(&["rm", "key2"]).failure().stdout(is_empty()).stderr("Key not found\n");
    ask(&["set", "key2", "value3"]).success().stdout(is_empty());
    ask(&["rm", "key1"]).success().stdout(is_empty());

    // Dropping it is SIGKILL: what was acknowledged has to be there all the same.
    drop(server);
    let server = start(args, dir.path());
    let addr = server.addr.to_string();
    let ask = |words: &[&str]| client(words).args(["--addr", &addr]).assert();
    ask(&["get", "key2"]).success().stdout("value3\n");
    ask(&["get", "key1"]).success().stdout("Key not found\n");
}

#[test]
fn cli_access_server_kvs_engine() {
    access_server(&["--engine", "kvs"]);
}

#[cfg(from_stage = "5")]
#[test]
fn cli_access_server_sled_engine() {
    access_server(&["--engine", "sled"]);
}

#[cfg(from_stage = "5")]
#[test]
fn cli_access_server_on_every_pool() {
    for pool in ["naive", "queue", "rayon"] {
        access_server(&["--pool", pool, "--threads", "2"]);
    }
}
