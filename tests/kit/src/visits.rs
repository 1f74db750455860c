//! Clients that do not stay.

use crate::WATCHDOG;
use rustix::net::sockopt::set_socket_linger;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What one asks for that does not wait for the whole answer.
const GET_LARGE: &str = "{\"Get\":{\"key\":\"large\"}}\n";

/// The length of that value, in bytes: more than a new connection takes at once.
pub const LARGE: usize = 256 << 10;

/// What a client does in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// Asks, and reads the answer.
    Asks,
    /// Sends something that is no request, and reads the answer.
    Errs,
    /// Says nothing and reads nothing.
    IsSilent,
    /// Sends the first bytes of a request.
    AsksByHalf,
    /// Asks for a large value, and is gone with a reset when its first bytes come.
    Vanishes,
}

impl Visit {
    /// All of them.
    pub const ALL: [Visit; 5] =
        [Visit::Asks, Visit::Errs, Visit::IsSilent, Visit::AsksByHalf, Visit::Vanishes];

    /// Comes, does it, and goes. `request` is what it asks, a whole line. Returns what it reads, which is
    /// nothing also where the server closes the connection.
    pub fn run(self, addr: SocketAddr, request: &str) -> String {
        let mut client = connect(addr);
        match self {
            Visit::Asks => return ask(&mut client, request),
            Visit::Errs => return ask(&mut client, "no request\n"),
            Visit::IsSilent => {}
            // It fails if the server has closed the connection, and so may the next ones.
            Visit::AsksByHalf => drop(client.write(&request.as_bytes()[..request.len() / 2])),
            Visit::Vanishes => {
                let _ = client.write(GET_LARGE.as_bytes());
                let _ = client.peek(&mut [0]);
                set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
            }
        }
        String::new()
    }
}

/// Fails if nobody listens.
pub fn connect(addr: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(addr).unwrap();
    client.set_read_timeout(Some(WATCHDOG)).unwrap();
    client
}

/// Asks a server that may close the connection at any time. Returns the line that it says, or an empty
/// one.
pub fn ask(client: &mut TcpStream, request: &str) -> String {
    let _ = client.write_all(request.as_bytes());
    let mut answer = String::new();
    let _ = BufReader::new(client).read_line(&mut answer);
    answer
}
