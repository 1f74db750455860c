//! The clients: each a thread with a connection, which sends and waits for the answer.

use crate::Outcome;
use crate::data::random;
use crate::repeat::Work;
use rand::RngExt;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, bind, socket_with};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// After this long without an answer there will be none.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Requests that are sent at once, and their answers.
#[derive(Default)]
pub struct Exchange {
    /// What is sent.
    pub request: Vec<u8>,
    /// What has to come.
    pub answer: Vec<u8>,
}

impl Exchange {
    /// Asks our server for a key that has this value.
    pub fn get(&mut self, key: &str, value: &str) {
        self.request.extend(format!("{{\"Get\":{{\"key\":\"{key}\"}}}}\n").bytes());
        self.answer.extend(format!("{{\"Ok\":\"{value}\"}}\n").bytes());
    }

    /// Sets a key in our server.
    pub fn set(&mut self, key: &str, value: &str) {
        let set = format!("{{\"Set\":{{\"key\":\"{key}\",\"value\":\"{value}\"}}}}\n");
        self.request.extend(set.bytes());
        self.answer.extend(b"{\"Ok\":null}\n");
    }

    /// Sends the requests, and checks that the right answers come.
    ///
    /// # Errors
    /// If another comes, or none.
    pub fn ask(&self, connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Outcome<()> {
        buffer.resize(self.answer.len(), 0);
        connection.write_all(&self.request)?;
        connection.read_exact(buffer).map_err(|e| format!("no answer: {e}"))?;
        if *buffer == self.answer {
            return Ok(());
        }
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        Err(format!("`{}` instead of `{}`", text(buffer), text(&self.answer)).into())
    }
}

/// What clients do.
pub struct Load<'a> {
    /// The server's.
    pub addr: SocketAddr,
    /// One of these, over and over.
    pub exchanges: &'a [Exchange],
    /// How many there are.
    pub clients: usize,
    /// Whether an exchange has a connection of its own.
    pub reconnect: bool,
}

impl Load<'_> {
    /// What each client repeats, with its connection. It fails if an answer is not the one that belongs to its
    /// request, or does not come. A latency is that of an exchange; with the opening of its connection if it has
    /// its own.
    ///
    /// # Errors
    /// If the server doesn't accept it.
    pub fn clients(&self) -> Outcome<Vec<Work<'_>>> {
        (0..self.clients).map(|number| self.client(number)).collect()
    }

    fn client(&self, number: usize) -> Outcome<Work<'_>> {
        let mut random = random(number as u64);
        let mut buffer = Vec::new();
        let mut open = Some(connect(number, self.addr)?);
        Ok(Box::new(move || {
            let exchange = &self.exchanges[random.random_range(0..self.exchanges.len())];
            let start = Instant::now();
            let mut connection = match open.take() {
                Some(connection) => connection,
                None => connect(number, self.addr)?,
            };
            exchange.ask(&mut connection, &mut buffer)?;
            let time = start.elapsed();
            if !self.reconnect {
                open = Some(connection);
            }
            Ok(time)
        }))
    }
}

/// A connection of a client that sends at once and does not wait for ever.
///
/// Each client has an address of its own; the whole of 127.0.0.0/8 is this machine. A port stays taken
/// for a while after its connection: if all clients had one address, those that open a connection for
/// each request would soon spend their time on the search for a free one.
///
/// # Errors
/// If the server does not accept it.
pub fn connect(client: usize, to: SocketAddr) -> Outcome<TcpStream> {
    let [.., high, low] = client.to_be_bytes();
    let from = Ipv4Addr::new(127, 1, high, low);
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddr::from((from, 0)))?;
    net::connect(&socket, &to).map_err(|e| format!("connect: {e}"))?;
    let connection = TcpStream::from(socket);
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    Ok(connection)
}

/// Lets this process open as many files as it may.
///
/// # Errors
/// If those are fewer than it needs.
pub fn allow_open_files(needed: u64) -> Outcome<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    match limit.maximum {
        Some(most) if most < needed => Err(format!(
            "this takes {needed} open files, and the limit is {most}; raise the hard one (`ulimit -Hn`)"
        )
        .into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repeat::{Measured, repeat};
    use std::net::TcpListener;
    use std::thread::spawn;

    /// What one client finds whose server answers the first request so, and then hangs up.
    fn measure(answer: &'static [u8]) -> Outcome<Measured<()>> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let server = spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            connection.read_exact(&mut [0; 3]).unwrap();
            connection.write_all(answer).unwrap();
        });
        let exchanges = [Exchange { request: b"ask".into(), answer: b"right".into() }];
        let load = Load { addr, exchanges: &exchanges, clients: 1, reconnect: false };
        let measured = repeat(0.001, load.clients()?, || Ok(()));
        server.join().unwrap();
        measured
    }

    #[test]
    fn a_wrong_or_missing_answer_fails_the_measurement() {
        let error = measure(b"wrong").err().unwrap().to_string();
        assert_eq!(error, "`wrong` instead of `right`");
        assert!(measure(b"rig").err().unwrap().to_string().starts_with("no answer"));
    }
}
