//! A server in a process of its own, and a raw connection to one.
#![allow(dead_code)] // compiled into several tests, none of which uses all of it

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Long enough for any answer on a busy machine; reached only when something is broken.
pub const WATCHDOG: Duration = Duration::from_secs(60);

pub struct Server {
    pub child: Child,
    pub addr: SocketAddr,
    log: Arc<Mutex<String>>,
    log_reader: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts `command` as a server on a free port and waits until it listens. If it ends before that,
    /// the error is what it logged, with how it ended as the last line.
    pub fn start(command: &mut Command, dir: &Path) -> Result<Server, String> {
        command.args(["--addr", "127.0.0.1:0", "--dir"]).arg(dir);
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

    pub fn connect(&self) -> Raw {
        Raw::connect(self.addr)
    }

    /// Sends SIGTERM and waits for the end. Returns how it ended and all that it logged.
    pub fn terminate(self) -> (ExitStatus, String) {
        self.signal("-TERM")
    }

    /// Sends a signal and waits for the end. Returns how it ended and all that it logged.
    pub fn signal(self, signal: &str) -> (ExitStatus, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        self.end()
    }

    /// Waits for the end. Returns how it ended and all that it logged.
    pub fn end(mut self) -> (ExitStatus, String) {
        let since = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(since.elapsed() < WATCHDOG, "the server does not stop");
            thread::sleep(Duration::from_millis(1));
        };
        self.log_reader.take().unwrap().join().unwrap();
        let log = self.log.lock().unwrap().clone();
        (status, log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that sends and reads lines as they are.
pub struct Raw(BufReader<TcpStream>);

impl Raw {
    pub fn connect(addr: SocketAddr) -> Raw {
        Raw::from(TcpStream::connect(addr).unwrap())
    }

    pub fn from(stream: TcpStream) -> Raw {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(WATCHDOG)).unwrap();
        stream.set_write_timeout(Some(WATCHDOG)).unwrap();
        Raw(BufReader::new(stream))
    }

    pub fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// The next line without its newline; empty when the server has closed the connection.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            // What a server closes with bytes unread is reset; that is the end as well.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            read => drop(read.unwrap()),
        }
        line.trim_end_matches('\n').to_owned()
    }

    /// Whether there is something to read, without waiting for it.
    pub fn has_answer(&self) -> bool {
        self.stream().set_nonblocking(true).unwrap();
        let peeked = self.stream().peek(&mut [0]);
        self.stream().set_nonblocking(false).unwrap();
        matches!(peeked, Ok(1))
    }

    pub fn ask(&mut self, request: &str) -> String {
        self.send(format!("{request}\n"));
        self.line()
    }
}
