//! A server in a process of its own.

use crate::process::{self, listens_at};
use crate::raw::Raw;
use crate::wait::until_some;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use tempfile::TempDir;

/// The process. It is killed when this is dropped.
pub struct Server {
    /// The process itself.
    pub child: Child,
    /// Where it listens.
    pub addr: SocketAddr,
    log: Arc<Mutex<String>>,
    log_reader: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts `command` as a server on a free port and waits until it listens.
    ///
    /// # Errors
    /// If it ends before that: what it logged, with how it ended as the last line.
    pub fn start(command: &mut Command, dir: &Path) -> Result<Server, String> {
        Server::start_at("127.0.0.1:0", command, dir)
    }

    /// The same at another address.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_at(addr: &str, command: &mut Command, dir: &Path) -> Result<Server, String> {
        command.args(["--addr", addr, "--dir"]).arg(dir);
        // The line that is waited for is of the level `info`.
        command.env_remove("RUST_LOG");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let mut addr = None;
        while addr.is_none() {
            let Some(Ok(line)) = lines.next() else {
                let status = child.wait().unwrap();
                return Err(format!("{}{status}\n", log.lock().unwrap()));
            };
            addr = line.split_once("listening on ").map(|(_, addr)| addr.parse().unwrap());
            *log.lock().unwrap() += &(line + "\n");
        }
        let rest = Arc::clone(&log);
        let log_reader = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *rest.lock().unwrap() += &(line + "\n");
            }
        });
        Ok(Server { child, addr: addr.unwrap(), log, log_reader: Some(log_reader) })
    }

    /// Starts `command` as a server on a free port, with a stderr that the test has made, and waits
    /// until it listens.
    pub fn start_with_stderr(
        command: &mut Command,
        dir: &Path,
        stderr: impl Into<Stdio>,
    ) -> Server {
        command.args(["--addr", "127.0.0.1:0", "--dir"]).arg(dir);
        let child = command.stderr(stderr).spawn().unwrap();
        let addr = SocketAddr::from(([0; 4], 0));
        let mut server = Server { child, addr, log: Arc::default(), log_reader: None };
        server.addr = until_some("it listens", || listens_at(server.pid()));
        server
    }

    /// A new connection to it.
    pub fn connect(&self) -> Raw {
        Raw::connect(self.addr)
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Ends it by SIGKILL and waits for the end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal, such as `-TERM`, and does not wait.
    pub fn signal(&self, signal: &str) {
        process::signal(self.pid(), signal);
    }

    /// Sends SIGTERM and waits for the end. Returns how it ended and all that it logged.
    pub fn terminate(self) -> (ExitStatus, String) {
        self.signal("-TERM");
        self.end()
    }

    /// Waits for the end. Returns how it ended and all that it logged.
    pub fn end(mut self) -> (ExitStatus, String) {
        let status = until_some("the server stops", || self.child.try_wait().unwrap());
        if let Some(reader) = self.log_reader.take() {
            reader.join().unwrap();
        }
        (status, self.log())
    }
}

/// A directory in memory if there can be one, where what a server does takes no longer for the disk.
pub fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
