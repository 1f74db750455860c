//! A client that sends and reads lines as they are, and such lines: requests and answers as they are on
//! the wire, without their newlines; and clients that ask and ask.

use crate::wait::{WATCHDOG, until, until_some};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

/// The connection. Whatever does not come within [`WATCHDOG`] fails the test.
pub struct Raw(BufReader<TcpStream>);

impl Raw {
    /// A new connection to this server.
    pub fn connect(addr: SocketAddr) -> Raw {
        Raw::from(TcpStream::connect(addr).unwrap())
    }

    /// The next connection of a client to a server that the test plays.
    pub fn accept(listener: &TcpListener) -> Raw {
        listener.set_nonblocking(true).unwrap();
        Raw::from(until_some("a client comes", || listener.accept().ok()).0)
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    /// Sends these bytes and nothing else.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a line, which comes without its newline.
    pub fn send_line(&mut self, line: &str) {
        self.send(format!("{line}\n"));
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

    /// The same of a server that may close the connection at any time, also before it has read the line.
    pub fn try_ask(&mut self, line: &str) -> String {
        let _ = self.0.get_mut().write_all(format!("{line}\n").as_bytes());
        self.line()
    }

    /// Waits until there is something to read. A signal that another test has caused doesn't end that.
    pub fn wait_for_more(&self) {
        let peek = || self.stream().peek(&mut [0]);
        while peek().is_err_and(|error| error.kind() == ErrorKind::Interrupted) {}
    }

    /// Whether there is something to read, without waiting for it.
    pub fn has_answer(&self) -> bool {
        self.stream().set_nonblocking(true).unwrap();
        let peeked = self.stream().peek(&mut [0]);
        self.stream().set_nonblocking(false).unwrap();
        matches!(peeked, Ok(1))
    }

    /// Sends a line, and reads the next one.
    pub fn ask(&mut self, request: &str) -> String {
        self.send_line(request);
        self.line()
    }
}

impl From<TcpStream> for Raw {
    fn from(stream: TcpStream) -> Raw {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(WATCHDOG)).unwrap();
        stream.set_write_timeout(Some(WATCHDOG)).unwrap();
        Raw(BufReader::new(stream))
    }
}

/// Asks for the key `k`.
pub const GET: &str = r#"{"Get":{"key":"k"}}"#;

/// Sets the key `k` to `v`.
pub const SET: &str = r#"{"Set":{"key":"k","value":"v"}}"#;

/// Asks for the key `large`, whose value is long.
pub const GET_LARGE: &str = r#"{"Get":{"key":"large"}}"#;

/// The answer to [`GET`] after [`SET`].
pub const FOUND: &str = r#"{"Ok":"v"}"#;

/// The answer to a write that is done, and to a read of a key that is not there.
pub const NOTHING: &str = r#"{"Ok":null}"#;

/// Asks for a key.
pub fn get(key: &str) -> String {
    format!(r#"{{"Get":{{"key":"{key}"}}}}"#)
}

/// Sets a key to a value.
pub fn set(key: &str, value: &str) -> String {
    format!(r#"{{"Set":{{"key":"{key}","value":"{value}"}}}}"#)
}

/// Removes a key.
pub fn remove(key: &str) -> String {
    format!(r#"{{"Remove":{{"key":"{key}"}}}}"#)
}

/// The answer to a read that finds this value.
pub fn found(value: &str) -> String {
    format!(r#"{{"Ok":"{value}"}}"#)
}

/// Clients that ask and ask, and whom nothing that others do may disturb. They ask for what [`SET`] has set, and count their answers.
pub struct Active {
    answers: Arc<[AtomicUsize]>,
    done: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Active {
    /// So many.
    pub fn start(addr: SocketAddr, clients: usize) -> Active {
        let answers: Arc<[_]> = (0..clients).map(|_| AtomicUsize::new(0)).collect();
        let done = Arc::new(AtomicBool::new(false));
        let client = |number: usize| {
            let (answers, done) = (Arc::clone(&answers), Arc::clone(&done));
            let mut client = Raw::connect(addr);
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(client.ask(GET), FOUND);
                    answers[number].fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let clients = (0..clients).map(client).collect();
        Active { answers, done, clients }
    }

    /// How many answers each has had.
    pub fn counts(&self) -> Vec<usize> {
        self.answers.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }

    /// Returns when each has had so many more answers.
    pub fn go_on(&self, answers: usize) {
        let before = self.counts();
        until("all active clients are answered", || {
            let is_disturbed = self.clients.iter().any(JoinHandle::is_finished);
            assert!(!is_disturbed, "one that behaves was disturbed");
            before.iter().zip(self.counts()).all(|(before, now)| now >= before + answers)
        });
    }

    /// Has them stop, and fails if one has failed.
    pub fn stop(self) {
        self.done.store(true, Ordering::Relaxed);
        self.clients.into_iter().for_each(|client| client.join().unwrap());
    }
}
