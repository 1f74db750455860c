//! `kvs client` with a request, and `kvs stats`.

use super::address::Address;
use super::command::Command;
use super::outcome::{Outcome, ResultExt};
use super::output::Output;
use crate::{KvsClient, KvsClientOptions, KvsError, Result};
use std::io::{self, ErrorKind, Write};

/// A server, and how to talk to it.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    pub(super) addr: Address,
    pub(super) options: KvsClientOptions,
}

impl Remote {
    pub(super) fn connect(&self) -> Outcome<KvsClient> {
        Ok(self.try_connect().with_context(|error| {
            let refused = ErrorKind::ConnectionRefused;
            let hint = match error {
                KvsError::Io(error) if error.kind() == refused => " (is a server running there?)",
                _ => "",
            };
            format!("cannot connect to {}{hint}", self.addr)
        })?)
    }

    /// The same, with the error as the library has it.
    pub(super) fn try_connect(&self) -> Result<KvsClient> {
        self.options.connect(&self.addr)
    }
}

/// Asks a server for one thing, and prints what it answers.
pub(super) fn request(remote: &Remote, output: Output, command: Command) -> Outcome {
    let answer = command.execute(&mut remote.connect()?, output);
    let (text, error) = match answer {
        Ok(text) => (text, None),
        Err(error) if error.is_answer() => (output.failed(&error.to_string()), Some(error)),
        Err(error) => return Err(error.into()),
    };
    io::stdout().write_all(text.as_bytes())?;
    error.map_or(Ok(()), |error| Err(error.into()))
}
