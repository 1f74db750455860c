//! The program `kvs server` in a process of its own, and what Linux tells of a process.
#![allow(dead_code)] // no test needs all of it

use super::local::until;
use super::server::Server;
use std::process::Command;
use tempfile::TempDir;

pub(crate) const KVS: &str = env!("CARGO_BIN_EXE_kvs");

/// A server with these options.
pub(crate) fn kvs_server(options: &[&str], dir: &TempDir) -> Server {
    Server::start(Command::new(KVS).arg("server").args(options), dir.path()).unwrap()
}

/// Sends it a signal, such as `-TERM`, and does not wait.
pub(crate) fn signal(server: &Server, signal: &str) {
    let pid = server.child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

/// Waits for its end.
pub(crate) fn exit_code(server: &mut Server) -> Option<i32> {
    let mut status = None;
    until("the server ends", || {
        status = server.child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap().code()
}
