//! The wire protocol: JSON, one message a line, so that `nc` is a client.
//!
//! ```text
//! {"Get":{"key":"k"}}               {"Ok":"v"} or {"Ok":null}
//! {"Set":{"key":"k","value":"v"}}   {"Ok":null}
//! {"Remove":{"key":"k"}}            {"Ok":null} or {"Err":"Key not found"}
//! anything else                     {"Err":"…"}
//! ```
//!
//! Answers come in the order of the requests, and a client may send many before it reads.

use crate::{KvsError, Result};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// The longest line, in bytes with its newline, that either side takes.
pub const MAX_LINE: usize = 16 << 20;
/// How many bytes of answers are gathered before they are sent although more requests wait.
const MAX_OUTPUT: usize = 64 << 10;

/// What a client asks.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Request {
    /// The value of `key`.
    Get {
        /// The key.
        key: String,
    },
    /// Give `key` this value.
    Set {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// Take `key` and its value away.
    Remove {
        /// The key.
        key: String,
    },
}

/// What the server answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// It is done; with the value if there is one to give.
    Ok(Option<String>),
    /// It is not done, and why.
    Err(String),
}

impl From<Result<Option<String>>> for Response {
    fn from(result: Result<Option<String>>) -> Response {
        match result {
            Ok(value) => Response::Ok(value),
            Err(error) => Response::Err(error.to_string()),
        }
    }
}

/// A message as a line.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message).map_err(|e| KvsError::Protocol(e.to_string()))?;
    line.push(b'\n');
    Ok(line)
}

/// What came of reading a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A whole line; the buffer holds it without its newline.
    Whole,
    /// A line of more than [`MAX_LINE`] bytes. It was passed over.
    TooLong,
    /// The stream ended, after the last line or within one.
    End,
}

/// Reads a line into `line`, which is emptied first. Holds at most [`MAX_LINE`] bytes in memory.
pub fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    line.shrink_to(MAX_OUTPUT);
    reader.by_ref().take(MAX_LINE as u64).read_until(b'\n', line)?;
    if line.pop_if(|last| *last == b'\n').is_some() {
        Ok(Line::Whole)
    } else if line.len() < MAX_LINE {
        Ok(Line::End)
    } else {
        reader.skip_until(b'\n')?;
        Ok(Line::TooLong)
    }
}

/// The server's side of a connection: requests come out, answers go in.
pub struct Connection {
    stream: Arc<TcpStream>,
    input: BufReader<Incoming>,
    line: Vec<u8>,
    output: Vec<u8>,
}

/// The reading half of the stream; `TcpStream` reads through a reference, `Arc` alone does not.
struct Incoming(Arc<TcpStream>);

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl Connection {
    /// Takes over a stream that was just accepted.
    pub fn new(stream: impl Into<Arc<TcpStream>>) -> Result<Connection> {
        let stream = stream.into();
        // An answer is sent whole; waiting for more to send with it would only delay it.
        stream.set_nodelay(true)?;
        let input = BufReader::new(Incoming(Arc::clone(&stream)));
        Ok(Connection { stream, input, line: Vec::new(), output: Vec::new() })
    }

    /// Waits for the next line; `None` when the client is done. A line that is no request is an
    /// error inside: it wants an answer like any other, and the connection goes on.
    pub fn next_request(&mut self) -> Result<Option<Result<Request>>> {
        // Before it waits for a line, it sends what the client may be waiting for.
        if !self.input.buffer().contains(&b'\n') {
            self.flush()?;
        }
        Ok(match read_line(&mut self.input, &mut self.line)? {
            Line::End => None,
            Line::TooLong => {
                let message = format!("the line is longer than {MAX_LINE} bytes");
                Some(Err(KvsError::Protocol(message)))
            }
            Line::Whole => {
                let request = serde_json::from_slice(&self.line);
                Some(request.map_err(|error| KvsError::Protocol(error.to_string())))
            }
        })
    }

    /// Answers the oldest request that has no answer yet. The answer is sent at the latest when
    /// [`Connection::next_request`] has to wait.
    pub fn answer(&mut self, response: impl Into<Response>) -> Result<()> {
        self.output.extend(encode(&response.into())?);
        if self.output.len() > MAX_OUTPUT { self.flush() } else { Ok(()) }
    }

    /// Sends the answers that were not sent yet.
    pub fn flush(&mut self) -> Result<()> {
        if !self.output.is_empty() {
            (&*self.stream).write_all(&self.output)?;
            self.output.clear();
            self.output.shrink_to(MAX_OUTPUT);
        }
        Ok(())
    }
}
