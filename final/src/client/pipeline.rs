use super::timeout_reader::TimeoutReader;
use crate::protocol::{KEPT_BUFFER, MAX_LINE, Request, Response};
use crate::{KvsError, Result};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// What an answer says.
pub(super) type Answer = Result<Option<String>>;

/// Where an answer is put when it comes. Locked for a moment, and only by those who have locked the
/// connection, so nobody ever waits for it.
pub(super) type Slot = Mutex<Option<Answer>>;

/// Locks a connection or a slot. A thread that panicked with the lock has not left it half-changed:
/// what it calls under the lock does not panic.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Requests out, answers in: the oldest request that has no answer gets the next one.
///
/// A client that only writes while the server waits for its answers to be taken would wait for
/// ever, and so would the server. Bounding the number of requests under way does not help: how much
/// the sockets' buffers hold is the kernel's choice, and a single value may be more. So where a
/// write would block, answers are read instead. One is sure to come, as long as a request is under
/// way that the server has in full: it needs nothing more from us to answer it.
pub(super) struct Pipeline {
    input: BufReader<TimeoutReader>,
    line: Vec<u8>,
    /// Requests that were not written yet, and perhaps the rest of one.
    output: Vec<u8>,
    /// How many requests `output` has the end of.
    unsent: usize,
    /// Where the answers belong, oldest first; those to the `unsent` requests are the last. Weak: a
    /// slot that nobody waits for any more is gone, and its answer is passed over.
    awaited: VecDeque<Weak<Slot>>,
    write_timeout: Duration,
    read_timeout: Duration,
}

impl Pipeline {
    pub(super) fn new(
        stream: TcpStream,
        read_timeout: Duration,
        write_timeout: Duration,
    ) -> Result<Pipeline> {
        // Requests are gathered here; gathering them once more in the kernel would only delay them.
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(write_timeout))?;
        Ok(Pipeline {
            input: BufReader::with_capacity(KEPT_BUFFER, TimeoutReader::new(stream, read_timeout)?),
            line: Vec::new(),
            output: Vec::new(),
            unsent: 0,
            awaited: VecDeque::new(),
            write_timeout,
            read_timeout,
        })
    }

    /// Puts a request into the buffer, and sends the buffer if it is full. The answer will be in the
    /// slot.
    pub(super) fn send(&mut self, request: &Request) -> Result<Arc<Slot>> {
        if self.awaited.is_empty() && !self.input.buffer().is_empty() {
            let message = "the server answered more than it was asked";
            return Err(KvsError::Protocol(message.into()));
        }
        serde_json::to_writer(&mut self.output, request)
            .map_err(|error| KvsError::Protocol(error.to_string()))?;
        self.output.push(b'\n');
        self.unsent += 1;
        let slot = Arc::default();
        self.awaited.push_back(Arc::downgrade(&slot));
        if self.output.len() >= KEPT_BUFFER {
            self.flush()?;
        }
        Ok(slot)
    }

    /// Writes what is in the buffer.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.write().inspect_err(|error| {
            // What the server said before it hung up is still there; perhaps it says why. Reading
            // from a connection that is closed does not wait.
            if matches!(error, KvsError::Io(_)) {
                while !self.awaited.is_empty() && self.read_answer().is_ok() {}
            }
        })
    }

    fn stream(&self) -> &TcpStream {
        self.input.get_ref().stream()
    }

    fn write(&mut self) -> Result<()> {
        let mut from = 0;
        while from < self.output.len() {
            let written = match self.write_once(from).map_err(|e| self.write_error(e))? {
                Some(written) => written,
                None => {
                    self.read_answers()?;
                    continue;
                }
            };
            let to = from + written;
            self.unsent -= self.output[from..to].iter().filter(|byte| **byte == b'\n').count();
            from = to;
        }
        self.output.clear();
        self.output.shrink_to(2 * KEPT_BUFFER);
        Ok(())
    }

    /// Writes from `output`, and says how much. `None` if that would block while there are answers
    /// to read.
    fn write_once(&self, from: usize) -> io::Result<Option<usize>> {
        let (mut stream, rest) = (self.stream(), &self.output[from..]);
        let under_way = self.awaited.len() > self.unsent;
        if under_way || self.unsent > 1 {
            stream.set_nonblocking(true)?;
            let written = stream.write(rest);
            stream.set_nonblocking(false)?;
            match written {
                Err(error) if error.kind() == ErrorKind::WouldBlock && under_way => {
                    return Ok(None);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => return retry_interrupted(written),
            }
        }
        // The server has answered all that it has in full. It needs the end of this request.
        let line = rest.split_inclusive(|byte| *byte == b'\n').next().unwrap_or(rest);
        retry_interrupted(stream.write(line))
    }

    /// Waits for an answer, and takes those that came with it.
    fn read_answers(&mut self) -> Result<()> {
        self.read_answer()?;
        while self.awaited.len() > self.unsent && self.input.buffer().contains(&b'\n') {
            self.read_answer()?;
        }
        Ok(())
    }

    /// Waits for the next answer; where that means to wait, everything is sent before. While answers
    /// are here already, requests are gathered.
    pub(super) fn next_answer(&mut self) -> Result<()> {
        if self.awaited.len() == self.unsent || !self.input.buffer().contains(&b'\n') {
            self.flush()?;
        }
        self.read_answer()
    }

    /// Reads the answer to the oldest request that has none.
    fn read_answer(&mut self) -> Result<()> {
        self.input.get_mut().begin_answer()?;
        self.line.clear();
        self.line.shrink_to(KEPT_BUFFER);
        let mut input = (&mut self.input).take(MAX_LINE as u64);
        input.read_until(b'\n', &mut self.line).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                let what = "the server gave no answer";
                KvsError::Timeout { what, time: self.read_timeout }
            }
            _ => error.into(),
        })?;
        if self.line.last() != Some(&b'\n') {
            return Err(match self.line.len() {
                MAX_LINE => KvsError::Protocol("the answer is too long".into()),
                _ => KvsError::Closed,
            });
        }
        let answer = match serde_json::from_slice(&self.line) {
            Ok(Response::Ok(value)) => Ok(value),
            Ok(Response::Err(message)) if message == KvsError::KeyNotFound.to_string() => {
                Err(KvsError::KeyNotFound)
            }
            Ok(Response::Err(message)) => Err(KvsError::Server(message)),
            Err(error) => return Err(KvsError::Protocol(error.to_string())),
        };
        if let Some(slot) = self.awaited.pop_front().and_then(|slot| slot.upgrade()) {
            *lock(&slot) = Some(answer);
        }
        Ok(())
    }

    fn write_error(&self, error: io::Error) -> KvsError {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                let what = "the server took nothing of a request";
                KvsError::Timeout { what, time: self.write_timeout }
            }
            _ => error.into(),
        }
    }
}

/// How much was written. A signal that came between has written nothing: the caller tries again.
fn retry_interrupted(written: io::Result<usize>) -> io::Result<Option<usize>> {
    match written {
        Ok(0) => Err(ErrorKind::WriteZero.into()),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Some(0)),
        written => written.map(Some),
    }
}
