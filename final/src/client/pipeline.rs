use super::options::KvsClientOptions;
use super::socket::Socket;
use crate::protocol::{self, KEPT_BUFFER, Request, Response};
use crate::{KvsError, Result};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// What an answer says.
pub(super) type Answer = Result<Response>;

/// Where an answer is put when it comes. Locked for a moment, and only by those who have locked the
/// connection, so nobody ever waits for it.
pub(super) type Slot = Mutex<Option<Answer>>;

/// Locks a connection, a slot, or what a bench has seen. A thread that panicked with the lock has not left it half-changed:
/// what it calls under the lock does not panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
    input: BufReader<Socket>,
    line: Vec<u8>,
    /// Whether the rest of an answer is still to come that is too long, and was answered for.
    skipping: bool,
    /// Requests that were not written yet, and perhaps the rest of one.
    output: Vec<u8>,
    /// How many requests `output` has the end of.
    unsent: usize,
    /// Where the answers belong, oldest first; those to the `unsent` requests are the last. Weak: a
    /// slot that nobody waits for any more is gone, and its answer is passed over.
    awaited: VecDeque<Weak<Slot>>,
    options: KvsClientOptions,
}

impl Pipeline {
    pub(super) fn new(stream: TcpStream, options: KvsClientOptions) -> Result<Pipeline> {
        let socket = Socket::new(stream, options.read, options.write)?;
        Ok(Pipeline {
            input: BufReader::with_capacity(KEPT_BUFFER, socket),
            line: Vec::new(),
            skipping: false,
            output: Vec::new(),
            unsent: 0,
            awaited: VecDeque::new(),
            options,
        })
    }

    /// Puts a request into the buffer, and sends the buffer if it is full. The answer will be in the
    /// slot.
    pub(super) fn send(&mut self, request: &Request) -> Result<Arc<Slot>> {
        if self.awaited.is_empty() && !self.skipping && !self.input.buffer().is_empty() {
            let message = "the server answered more than it was asked";
            return Err(KvsError::Protocol(message.into()));
        }
        protocol::encode(&mut self.output, request);
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

    /// Whether there is something to read though nothing was asked: the end, or the reason for it.
    pub(super) fn has_hung_up(&self) -> bool {
        !self.skipping && self.input.get_ref().has_input(Duration::ZERO)
    }

    /// Whether something is here, or comes within `time`.
    pub(super) fn has_input(&self, time: Duration) -> bool {
        !self.input.buffer().is_empty() || self.input.get_ref().has_input(time)
    }

    fn write(&mut self) -> Result<()> {
        let mut from = 0;
        while from < self.output.len() {
            let rest = &self.output[from..];
            let written = self.input.get_ref().write_some(rest)?;
            self.unsent -= rest[..written].iter().filter(|byte| **byte == b'\n').count();
            from += written;
            if written == 0 && self.awaited.len() > self.unsent {
                self.read_answers()?;
            } else if written == 0 {
                // The server has answered all that it has in full. It needs the end of this request.
                self.input.get_ref().wait_writable().map_err(|error| match error.kind() {
                    ErrorKind::WouldBlock => {
                        let what = "the server took nothing of a request".to_owned();
                        KvsError::Timeout { what, time: self.options.write }
                    }
                    _ => error.into(),
                })?;
            }
        }
        self.output.clear();
        self.output.shrink_to(2 * KEPT_BUFFER);
        Ok(())
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
        self.line.clear();
        self.line.shrink_to(KEPT_BUFFER);
        let limit = self.options.answer;
        self.read_line(limit).map_err(|error| match (error.kind(), self.line.len()) {
            (ErrorKind::WouldBlock, come) => {
                let what = match come {
                    0 => "the server gave no answer".to_owned(),
                    _ => format!("the server gave nothing more, after {come} bytes of an answer,"),
                };
                KvsError::Timeout { what, time: self.options.read }
            }
            _ => error.into(),
        })?;
        let is_whole = self.line.last() == Some(&b'\n');
        if !is_whole && self.line.len() < limit {
            return Err(KvsError::Closed);
        }
        self.skipping = !is_whole;
        let answer = match serde_json::from_slice(&self.line) {
            _ if self.skipping => Err(KvsError::AnswerTooLong { limit }),
            Ok(Response::Err(message)) => {
                let mut known = [KvsError::KeyNotFound, KvsError::Mismatch].into_iter();
                let same = known.find(|error| error.to_string() == message);
                Err(same.unwrap_or(KvsError::Server(message)))
            }
            Ok(response) => Ok(response),
            Err(error) => {
                let message = format!("the answer is none of a kvs server ({error})");
                return Err(KvsError::Protocol(message));
            }
        };
        if let Some(slot) = self.awaited.pop_front().and_then(|slot| slot.upgrade()) {
            *lock(&slot) = Some(answer);
        }
        Ok(())
    }

    fn read_line(&mut self, limit: usize) -> io::Result<()> {
        if self.skipping {
            self.input.skip_until(b'\n')?;
            self.skipping = false;
        }
        (&mut self.input).take(limit as u64).read_until(b'\n', &mut self.line).map(drop)
    }
}
