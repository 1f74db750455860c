//! The program `kvs`: server and client in one.

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, is_empty};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use tempfile::TempDir;

fn kvs(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvs"));
    command.args(args);
    command
}

#[test]
fn it_prints_the_version_that_all_programs_have() {
    kvs(&["-V"]).assert().success().stdout(concat!("kvs ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn its_help_names_server_and_client() {
    kvs(&["--help"]).assert().success().stdout(contains("server").and(contains("client")));
    kvs(&[]).assert().failure().stderr(contains("server").and(contains("client")));
    kvs(&["fly"]).assert().failure().stdout(is_empty());
    kvs(&["server", "--help"]).assert().success().stdout(contains("--engine"));
    kvs(&["client", "--help"]).assert().success().stdout(contains("Prints the value of a key"));
}

#[test]
fn its_client_talks_to_its_server() {
    let dir = TempDir::new().unwrap();
    let mut server = std::process::Command::new(env!("CARGO_BIN_EXE_kvs"))
        .args(["server", "--addr", "127.0.0.1:0", "--dir"])
        .arg(dir.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(server.stderr.take().unwrap());
    let addr = log.lines().find_map(|line| {
        line.unwrap().split_once("listening on ").map(|(_, addr)| addr.to_owned())
    });
    let addr = addr.unwrap();
    let client = |words: &[&str]| kvs(&["client"]).args(words).args(["--addr", &addr]).assert();
    client(&["set", "k", "v"]).success().stdout(is_empty());
    client(&["get", "k"]).success().stdout("v\n");
    client(&["rm", "k"]).success().stdout(is_empty());
    client(&["rm", "k"]).failure().stderr("Key not found\n");
    client(&["get", "k"]).success().stdout("Key not found\n");
    server.kill().unwrap();
    server.wait().unwrap();
}
