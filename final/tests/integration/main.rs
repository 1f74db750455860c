//! What `final` does, seen from outside.
//!
//! All of it is one program, since one links faster than twenty. A file is a module:
//! `cargo test -p final --test integration limits::` runs the tests of one. What several of them use is imported here.
//! What a user types and sees is in Markdown, in `sessions/`, and so is what a client and a server say to each other, in
//! `wire.md`.
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

mod client;
mod damage;
mod directory;
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
mod sessions;
mod stderr;
mod stopping;
mod timeouts;

use kvs_final::disk::SimulatedDisk;
use kvs_final::thread_pool::{SharedQueueThreadPool, ThreadPool};
use kvs_final::{
    Durability, KvStore, KvStoreOptions, KvsClient, KvsEngine, KvsError, Limits, Result,
    SledKvsEngine, check,
};
use kvs_test_kit::engines::{Deferred, Distant, Gate, Memory, gated, reads};
use kvs_test_kit::environment::is_injected;
use kvs_test_kit::files::content;
use kvs_test_kit::local::{Local, nobody_listens, stat};
use kvs_test_kit::process::{peak_resident, with_signals};
use kvs_test_kit::raw::{GET, NOTHING, SET, found, get, remove, set};
use kvs_test_kit::simulated::workload::{DIR, is_damaged};
use kvs_test_kit::{Raw, Server, WATCHDOG, until};
use predicates::str::contains;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};
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
fn kvs_server(options: &[&str], dir: impl AsRef<Path>) -> Server {
    Server::start(Command::new(KVS).arg("server").args(options), dir.as_ref()).unwrap()
}
