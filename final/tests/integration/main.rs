//! What `final` does, seen from outside.
//!
//! All of it is one program, since one links faster than twenty. A file is a module:
//! `cargo test -p final --test integration limits::` runs the tests of one.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

/// Tests a function of a pool on each of the three.
macro_rules! on_each_pool {
    ($check:ident) => {
        mod $check {
            use kvs_final::thread_pool::{NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool};

            #[test]
            fn on_the_naive_pool() {
                super::$check::<NaiveThreadPool>();
            }

            #[test]
            fn on_the_shared_queue() {
                super::$check::<SharedQueueThreadPool>();
            }

            #[test]
            fn on_rayon() {
                super::$check::<RayonThreadPool>();
            }
        }
    };
}

mod cli;
mod client;
mod damage;
mod directory;
mod dump;
mod engine;
mod exhausted;
mod foreign;
mod formats;
mod hostile;
mod limits;
#[cfg(target_os = "linux")]
mod patience;
mod pipelined;
mod program;
#[cfg(target_os = "linux")]
mod prompt;
mod stderr;
mod stopping;
mod timeouts;
mod whereabouts;

use kvs_test_kit::Server;
use kvs_test_kit::process::with_signals;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const KVS: &str = env!("CARGO_BIN_EXE_kvs");

/// The program `kvs`, about to run with these arguments.
fn kvs(args: &[&str]) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(KVS);
    command.args(args);
    command
}

/// The program `kvs` with these arguments, running, with pipes to all that it reads and writes.
fn spawn(args: &[&str], server: SocketAddr) -> Child {
    let mut command = with_signals(KVS);
    command.args(args).args(["--addr", &server.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The program `kvs` with this command, under a limit of the shell's `ulimit`.
fn limited(limit: &str, command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit {limit}; exec \"$0\" {command} \"$@\""), KVS]);
    shell
}

/// `kvs server` with these options, with a new store.
fn new_kvs_server(options: &[&str]) -> (Server, TempDir) {
    let dir = TempDir::new().unwrap();
    (kvs_server(options, &dir), dir)
}

/// `kvs server` with these options, in a process of its own.
fn kvs_server(options: &[&str], dir: &TempDir) -> Server {
    Server::start(Command::new(KVS).arg("server").args(options), dir.path()).unwrap()
}
