//! The bytes of a connection: in, out, and kept.

use std::io::{self, ErrorKind, Read, Write};

/// What a read has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// So many bytes, and whether that is all that there was room for.
    Bytes(usize, bool),
    Nothing,
    /// Nothing, because of a signal: perhaps there is something.
    Interrupted,
    /// The client has ended its side.
    End,
}

impl Received {
    pub(super) fn bytes(self) -> usize {
        if let Received::Bytes(bytes, _) = self { bytes } else { 0 }
    }
}

/// Reads once.
pub(super) fn receive(mut socket: impl Read, buffer: &mut [u8]) -> io::Result<Received> {
    match socket.read(buffer) {
        Ok(0) => Ok(Received::End),
        Ok(bytes) => Ok(Received::Bytes(bytes, bytes == buffer.len())),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Received::Nothing),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Received::Interrupted),
        Err(error) => Err(error),
    }
}

/// Sends as much as the socket takes. Returns how many bytes that is.
pub(super) fn send(mut socket: impl Write, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match socket.write(&bytes[sent..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

/// Answers of which the client did not take all yet.
#[derive(Default)]
pub(super) struct Output(Option<Box<Unsent>>);

struct Unsent {
    bytes: Vec<u8>,
    /// So many of them the client took.
    sent: usize,
}

impl Output {
    pub(super) fn new(bytes: &[u8]) -> Output {
        Output(Some(Box::new(Unsent { bytes: bytes.to_vec(), sent: 0 })))
    }

    /// How much memory they take, in bytes; none if there are none.
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |unsent| unsent.bytes.len())
    }

    /// Sends what the socket takes. Returns how many bytes that is; afterwards perhaps none are left.
    pub(super) fn send(&mut self, socket: impl Write) -> io::Result<usize> {
        let Some(unsent) = &mut self.0 else { return Ok(0) };
        let sent = send(socket, &unsent.bytes[unsent.sent..])?;
        unsent.sent += sent;
        if unsent.sent == unsent.bytes.len() {
            self.0 = None;
        }
        Ok(sent)
    }
}
