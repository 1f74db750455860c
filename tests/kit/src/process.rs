//! What Linux tells of a process, and may be told.

use procfs::net::TcpState;
use procfs::process::{FDTarget, Process, Status};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A thread at some moment.
#[derive(Debug, PartialEq, Eq)]
pub struct Task {
    /// Its number, of which no other thread has the same.
    pub number: i32,
    /// What it calls itself, at most 15 letters.
    pub name: String,
    /// `S` if it sleeps, `R` if it runs or could run.
    pub state: char,
    /// How often it was switched to or away from.
    pub switches: u64,
}

/// The threads of process `pid`. None if it is gone.
pub fn tasks(pid: u32) -> Vec<Task> {
    let tasks = Process::new(pid.cast_signed()).and_then(|process| process.tasks());
    // A thread may have ended since it was listed.
    let tasks = tasks.into_iter().flatten().filter_map(|task| task.ok()?.status().ok());
    let task = |status: Status| {
        let switches = [status.voluntary_ctxt_switches, status.nonvoluntary_ctxt_switches];
        Task {
            number: status.pid,
            name: status.name,
            state: status.state.chars().next().unwrap(),
            switches: switches.into_iter().flatten().sum(),
        }
    };
    tasks.map(task).filter(|task| task.state != 'Z').collect()
}

/// Sends process `pid` a signal, such as `-TERM`, and does not wait.
pub fn signal(pid: u32, signal: &str) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

/// Whether somebody on this machine waits for a connection to `addr`, an IPv4 address.
pub fn is_connecting(addr: SocketAddr) -> bool {
    let mut connections = procfs::net::tcp().unwrap().into_iter();
    connections.any(|tcp| tcp.remote_address == addr && tcp.state == TcpState::SynSent)
}

/// How many threads process `pid` has.
pub fn threads(pid: u32) -> usize {
    tasks(pid).len()
}

/// How many threads of process `pid` have names that begin so, and how many have not.
pub fn threads_called(pid: u32, prefix: &str) -> (usize, usize) {
    let tasks = tasks(pid);
    let named = tasks.iter().filter(|task| task.name.starts_with(prefix)).count();
    (named, tasks.len() - named)
}

/// The processor time that the threads which process `pid` has now have taken.
pub fn cpu_time(pid: u32) -> Duration {
    let tasks = process(pid).tasks().unwrap();
    // A thread may have ended since it was listed.
    let times = tasks.filter_map(|task| task.ok()?.schedstat().ok());
    Duration::from_nanos(times.map(|time| time.sum_exec_runtime).sum())
}

/// The memory that process `pid` has in use, in bytes, without pages of files that are mapped: those are the
/// page cache's.
pub fn resident(pid: u32) -> u64 {
    let status = process(pid).status().unwrap();
    (status.vmrss.unwrap() - status.rssfile.unwrap()) << 10
}

/// The most memory that process `pid` ever had in use, in bytes.
pub fn peak_resident(pid: u32) -> u64 {
    process(pid).status().unwrap().vmhwm.unwrap() << 10
}

/// How many files and sockets process `pid` has open.
pub fn open_files(pid: u32) -> usize {
    process(pid).fd_count().unwrap()
}

/// Lets process `pid` have so many files open and no more. Returns how many it could have before.
pub fn limit_open_files(pid: u32, most: u64) -> u64 {
    let limit = Rlimit { current: Some(most), maximum: getrlimit(Resource::Nofile).maximum };
    prlimit(Pid::from_raw(pid.cast_signed()), Resource::Nofile, limit).unwrap().current.unwrap()
}

/// How many sockets process `pid` has open.
pub fn open_sockets(pid: u32) -> usize {
    open(pid).filter(|target| matches!(target, FDTarget::Socket(_))).count()
}

/// Where process `pid` listens with IPv4, if it does.
pub fn listens_at(pid: u32) -> Option<SocketAddr> {
    let sockets: Vec<FDTarget> = open(pid).collect();
    let mut all = procfs::net::tcp().unwrap().into_iter();
    let listens = all.find(|socket| {
        socket.state == TcpState::Listen
            && sockets
                .iter()
                .any(|open| matches!(open, FDTarget::Socket(inode) if *inode == socket.inode))
    });
    listens.map(|socket| socket.local_address)
}

/// How many files below `dir` this process has open that were deleted.
pub fn deleted_and_open(dir: &Path) -> usize {
    let is_deleted = |target: &FDTarget| match target {
        FDTarget::Path(path) => {
            path.starts_with(dir) && path.to_string_lossy().ends_with(" (deleted)")
        }
        _ => false,
    };
    open(std::process::id()).filter(is_deleted).count()
}

fn open(pid: u32) -> impl Iterator<Item = FDTarget> {
    // A file may have been closed since it was listed.
    process(pid).fd().unwrap().filter_map(|file| Some(file.ok()?.target))
}

fn process(pid: u32) -> Process {
    Process::new(pid.cast_signed()).unwrap()
}

/// Lets this process have as many open files as it may. Returns how many.
pub fn raise_open_files() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    limit.maximum.unwrap_or(u64::MAX)
}

/// A program that a signal can end, wherever the test was started: a shell's job in the background
/// ignores SIGINT, and what it starts inherits that.
pub fn with_signals(program: &str) -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal=INT,HUP", program]);
    command
}
