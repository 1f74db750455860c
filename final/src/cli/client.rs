//! `kvs client get`, `set` and `rm`.

use super::Outcome;
use crate::options::{ClientOptions, DEFAULT_ADDR};
use crate::{KvsClient, KvsError};
use failure::{Error, ResultExt};
use std::io::{self, Write};
use std::net::SocketAddr;

pub(super) fn ask(options: ClientOptions) -> Outcome {
    match options {
        ClientOptions::Get { key, addr } => {
            let value = connect(addr)?.get(key)?;
            let words = value.unwrap_or_else(|| KvsError::KeyNotFound.to_string());
            Ok(writeln!(io::stdout(), "{words}")?)
        }
        ClientOptions::Set { key, value, addr } => Ok(connect(addr)?.set(key, value)?),
        ClientOptions::Rm { key, addr } => Ok(connect(addr)?.remove(key)?),
    }
}

fn connect(addr: Option<SocketAddr>) -> std::result::Result<KvsClient, Error> {
    let addr = addr.unwrap_or(DEFAULT_ADDR);
    Ok(KvsClient::connect(addr).with_context(|_| format!("cannot connect to {addr}"))?)
}
