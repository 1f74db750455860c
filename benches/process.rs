//! A server that is a process of its own: it can be ended, what its threads use can be told from what the
//! clients do, and it can be run by a program that looks on.

use crate::Stage;
use kvs_bench_kit::Outcome;
use kvs_bench_kit::usage::Running;
use serde::{Deserialize, Serialize};
use std::env;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

/// The first argument of a process that is a server; the second is its [`Task`].
pub const SERVE: &str = "serve";

/// What a process is to serve.
#[derive(Serialize, Deserialize)]
pub struct Task {
    /// Whose server.
    pub stage: Stage,
    /// How many its pool has.
    pub threads: u32,
    /// Of the store.
    pub dir: PathBuf,
}

/// The life of that process. It says its address.
///
/// # Errors
/// If the task is none, or the server can't start.
pub fn serve(task: &str) -> Outcome<()> {
    let Task { stage, threads, dir } = serde_json::from_str(task)?;
    end_with_input();
    crate::serve(stage, &dir, threads)
}

/// Ends this process when its input ends: so it does not outlive the one that started it.
pub fn end_with_input() {
    thread::spawn(|| {
        // Whatever comes, it is over.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

/// A process that serves. It ends with this.
pub struct Process {
    running: Running,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl Process {
    /// Starts this program as a server: `program` runs it, if there is one, with these arguments before it.
    ///
    /// # Errors
    /// If it doesn't say where it listens.
    pub fn start(program: &[&str], args: &[&str]) -> Outcome<Process> {
        let own = env::current_exe()?;
        let mut all = program.iter().map(AsRef::as_ref).chain([own.as_os_str()]);
        let mut command = Command::new(all.next().unwrap_or_default());
        command.args(all).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running(command.spawn()?);
        let mut line = String::new();
        let output = running.0.stdout.as_mut().ok_or("the process has no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let addr = line.trim().parse().map_err(|_| "the server does not start")?;
        Ok(Process { running, addr })
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.running.0.id()
    }
}
