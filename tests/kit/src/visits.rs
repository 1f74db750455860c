//! Clients that do not stay.

use crate::Raw;
use crate::requests::GET_LARGE;
use rustix::net::sockopt::set_socket_linger;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

/// The length in bytes of the value that one asks for and does not wait for: more than a new connection takes at once.
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

    /// Comes, does it, and goes. `request` is what it asks. Returns the line that it reads, which is empty
    /// also where the server closes the connection.
    pub fn run(self, addr: SocketAddr, request: &str) -> String {
        let mut client = Raw::connect(addr);
        match self {
            Visit::Asks => return client.try_ask(request),
            Visit::Errs => return client.try_ask("no request"),
            Visit::IsSilent => {}
            // It fails if the server has closed the connection, and so may the next ones.
            Visit::AsksByHalf => {
                let _ = client.stream().write(&request.as_bytes()[..request.len() / 2]);
            }
            Visit::Vanishes => {
                let _ = client.stream().write(format!("{GET_LARGE}\n").as_bytes());
                let _ = client.stream().peek(&mut [0]);
                set_socket_linger(client.stream(), Some(Duration::ZERO)).unwrap();
            }
        }
        String::new()
    }
}
