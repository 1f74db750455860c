//! `kvs client` with a request, and `kvs stats`.

use super::command::Command;
use super::outcome::{Outcome, ResultExt};
use crate::KvsClient;
use std::io::{self, Write};
use std::net::SocketAddr;

pub(super) fn connect(addr: SocketAddr) -> Outcome<KvsClient> {
    Ok(KvsClient::connect(addr).with_context(|_| format!("cannot connect to {addr}"))?)
}

/// Asks the server at `addr` for one thing, and prints what it answers.
pub(super) fn request(addr: SocketAddr, command: Command) -> Outcome {
    let answer = command.execute(&mut connect(addr)?)?;
    Ok(io::stdout().write_all(answer.as_bytes())?)
}

/// Prints what the server counts.
pub(super) fn stats(addr: SocketAddr) -> Outcome {
    request(addr, Command::Stats)
}
