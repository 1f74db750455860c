//! `kvs client` and `kvs stats`.

use super::{Outcome, bulk, prompt};
use crate::options::{ClientOptions, SessionOptions};
use crate::{KvsClient, KvsError};
use failure::{Error, ResultExt};
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;

/// One request, a prompt, or a file of requests.
pub(super) fn session(options: SessionOptions) -> Outcome {
    let addr = options.addr();
    match options.command {
        Some(command) => ask(command, addr),
        None if io::stdin().is_terminal() && io::stdout().is_terminal() => prompt::prompt(addr),
        None => bulk::run(connect(addr)?, io::stdin().lock(), io::stdout().lock()),
    }
}

/// One request, to the server at `addr` unless it says where.
pub(super) fn ask(options: ClientOptions, default: SocketAddr) -> Outcome {
    match options {
        ClientOptions::Get { key, addr } => {
            let value = connect(addr.unwrap_or(default))?.get(key)?;
            Ok(writeln!(io::stdout(), "{}", words(value))?)
        }
        ClientOptions::Set { key, value, addr } => {
            Ok(connect(addr.unwrap_or(default))?.set(key, value)?)
        }
        ClientOptions::Rm { key, addr } => Ok(connect(addr.unwrap_or(default))?.remove(key)?),
    }
}

pub(super) fn stats(addr: SocketAddr) -> Outcome {
    Ok(write!(io::stdout(), "{}", connect(addr)?.stats()?)?)
}

pub(super) fn connect(addr: SocketAddr) -> std::result::Result<KvsClient, Error> {
    Ok(KvsClient::connect(addr).with_context(|_| format!("cannot connect to {addr}"))?)
}

/// What `get` prints.
pub(super) fn words(value: Option<String>) -> String {
    value.unwrap_or_else(|| KvsError::KeyNotFound.to_string())
}
