//! The program `kvs server` in a process of its own, and what Linux tells of a process.
#![allow(dead_code)] // no test needs all of it

use super::server::Server;
use std::process::Command;
use tempfile::TempDir;

pub(crate) const KVS: &str = env!("CARGO_BIN_EXE_kvs");

/// A server with these options.
pub(crate) fn kvs_server(options: &[&str], dir: &TempDir) -> Server {
    Server::start(Command::new(KVS).arg("server").args(options), dir.path()).unwrap()
}
