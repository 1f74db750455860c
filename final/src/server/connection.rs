use crate::protocol::{KEPT_BUFFER, Line, MAX_LINE, Request, Response, encode, read_line};
use crate::{KvsError, Result};
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// How many bytes of answers are gathered before they are sent although more requests wait.
const MAX_OUTPUT: usize = KEPT_BUFFER;

/// The server's side of a connection: requests come out, answers go in.
pub(super) struct Connection {
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
    pub(super) fn new(stream: impl Into<Arc<TcpStream>>) -> Result<Connection> {
        let stream = stream.into();
        // An answer is sent whole; waiting for more to send with it would only delay it.
        stream.set_nodelay(true)?;
        let input = BufReader::new(Incoming(Arc::clone(&stream)));
        Ok(Connection { stream, input, line: Vec::new(), output: Vec::new() })
    }

    /// Waits for the next line; `None` when the client is done. A line that is no request is an
    /// error inside: it wants an answer like any other, and the connection goes on.
    pub(super) fn next_request(&mut self) -> Result<Option<Result<Request>>> {
        // Before it waits for a line, it sends what the client may be waiting for.
        if !self.input.buffer().contains(&b'\n') {
            self.flush()?;
        }
        Ok(match read_line(&mut self.input, &mut self.line)? {
            Line::End => None,
            Line::TooLong => {
                let words = format!("the line is longer than {MAX_LINE} bytes");
                Some(Err(KvsError::Protocol(words)))
            }
            Line::Whole => {
                let request = serde_json::from_slice(&self.line);
                Some(request.map_err(|error| KvsError::Protocol(error.to_string())))
            }
        })
    }

    /// Answers the oldest request that has no answer yet. The answer is sent at the latest when
    /// [`Connection::next_request`] has to wait.
    pub(super) fn answer(&mut self, response: impl Into<Response>) -> Result<()> {
        self.output.extend(encode(&response.into())?);
        if self.output.len() > MAX_OUTPUT { self.flush() } else { Ok(()) }
    }

    /// Sends the answers that were not sent yet.
    pub(super) fn flush(&mut self) -> Result<()> {
        if !self.output.is_empty() {
            (&*self.stream).write_all(&self.output)?;
            self.output.clear();
            self.output.shrink_to(MAX_OUTPUT);
        }
        Ok(())
    }
}
