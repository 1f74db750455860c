//! The program `kvs server` in a process of its own, and what Linux tells of a process.
#![allow(dead_code)] // no test needs all of it

use super::local::until;
use super::server::Server;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

pub(crate) const KVS: &str = env!("CARGO_BIN_EXE_kvs");

/// A server with these options.
pub(crate) fn kvs_server(options: &[&str], dir: &TempDir) -> Server {
    kvs_server_in(options, dir.path())
}

/// A server with these options, in a directory that is made if need be.
pub(crate) fn kvs_server_in(options: &[&str], dir: &Path) -> Server {
    Server::start(Command::new(KVS).arg("server").args(options), dir).unwrap()
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

/// How many threads of a process have names that begin so, and how many have not.
pub(crate) fn threads(pid: u32, prefix: &str) -> (usize, usize) {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    // A thread may have ended since it was listed.
    let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    let (some, others): (Vec<_>, Vec<_>) = names.partition(|name| name.starts_with(prefix));
    (some.len(), others.len())
}

/// The processor time that the threads which it has now have taken.
pub(crate) fn cpu_time(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    // A thread may have ended since it was listed.
    let texts = tasks.filter_map(|t| fs::read_to_string(t.unwrap().path().join("schedstat")).ok());
    let nanoseconds = |text: String| text.split(' ').next().unwrap().parse::<u64>().unwrap();
    Duration::from_nanos(texts.map(nanoseconds).sum())
}

/// The memory that a process has in use, in bytes.
pub(crate) fn resident(pid: u32) -> u64 {
    memory(pid, "VmRSS:")
}

/// The most memory that it ever had in use, in bytes.
pub(crate) fn peak_resident(pid: u32) -> u64 {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// How many files and sockets it has open.
pub(crate) fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// How many sockets it has open.
pub(crate) fn open_sockets(pid: u32) -> usize {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    // A file may have been closed since it was listed.
    let targets = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

/// Lets this process have as many open files as it may. Returns how many.
pub(crate) fn raise_open_files() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    limit.maximum.unwrap_or(u64::MAX)
}
