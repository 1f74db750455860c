//! The program `kvs`, for tests.
#![allow(dead_code)] // no test needs all of it

use assert_cmd::Command;
use kvs_final::KvsClient;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use tempfile::TempDir;

/// The program, about to run with these arguments.
pub(crate) fn kvs(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvs"));
    command.args(args);
    command
}

/// A server in a process of its own.
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: String,
    /// What it logged before it listened.
    pub(crate) log: String,
}

impl Server {
    pub(crate) fn start(args: &[&str], dir: &TempDir) -> Server {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_kvs"))
            .args(["server", "--addr", "127.0.0.1:0", "--dir"])
            .arg(dir.path())
            .args(args)
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = String::new();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let addr = lines.find_map(|line| {
            let line = line.unwrap();
            log += &line;
            line.split_once("listening on ").map(|(_, addr)| addr.to_owned())
        });
        // What it logs from now on nobody reads, but it must be able to.
        std::thread::spawn(move || lines.for_each(drop));
        Server { child, addr: addr.unwrap(), log }
    }

    pub(crate) fn connect(&self) -> KvsClient {
        KvsClient::connect(&self.addr).unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
