use super::connection::Connection;
use super::shared::Shared;
use crate::protocol::{self, Line, LineDecoder, Request, Response, is_object};
use crate::sync::Instant;
use crate::sync::atomic::Ordering;
use crate::{KvsEngine, KvsError, Result};
use std::sync::Arc;
use std::time::Duration;

/// So many bytes of answers are sent before more requests are executed.
const MAX_ANSWERS: usize = 64 << 10;
/// So many writes of a connection may be under way at a time.
const MAX_WAITING: usize = 1024;
/// And so many bytes of their keys and values, unless a single one has more.
const MAX_WAITING_BYTES: usize = 1 << 20;
/// After this time a turn ends, in which many requests may have come together, and an engine may be
/// slow. Looked at every so many requests.
const MAX_TURN: Duration = Duration::from_millis(1);
const LOOK_AT_CLOCK: u64 = 16;

/// The requests of one turn of a connection, and their answers.
pub(super) struct Requests<'a, E> {
    connection: &'a Arc<Connection>,
    engine: &'a E,
    answers: &'a mut Vec<u8>,
    /// Writes that were begun and have no answer yet, at least.
    waiting: usize,
    /// The size of their keys and values.
    waiting_bytes: usize,
    began: Instant,
    requests: u64,
    errors: u64,
    /// What is wrong with a line that is of another protocol.
    pub(super) foreign: Option<KvsError>,
}

impl<'a, E: KvsEngine> Requests<'a, E> {
    pub(super) fn new(
        connection: &'a Arc<Connection>,
        engine: &'a E,
        answers: &'a mut Vec<u8>,
        began: Instant,
    ) -> Requests<'a, E> {
        let (waiting, waiting_bytes) = {
            let writes = connection.writes();
            (writes.len(), writes.bytes())
        };
        Requests {
            connection,
            engine,
            answers,
            waiting,
            waiting_bytes,
            began,
            requests: 0,
            errors: 0,
            foreign: None,
        }
    }

    /// Executes the lines in `bytes`, as many as may be now. Returns how many bytes were dealt with,
    /// and whether there are lines that have to wait for something else. A line of another protocol
    /// is the last one.
    pub(super) fn execute_all(&mut self, bytes: &[u8], lines: &mut LineDecoder) -> (usize, bool) {
        let mut done = 0;
        while self.foreign.is_none() {
            let rest = &bytes[done..];
            // Before its end is there: of a line that is too long the beginning is not kept.
            if !lines.is_discarding() && protocol::is_foreign(rest, lines.is_first()) {
                self.foreign =
                    Some(KvsError::Protocol("it begins as another protocol does".to_owned()));
                break;
            }
            let Some(line) = lines.find(rest) else {
                break;
            };
            if !self.has_room() || !self.execute(line, lines.is_first()) {
                return (done, true);
            }
            done += lines.take();
        }
        (done + lines.discard_too_long(), false)
    }

    fn has_room(&self) -> bool {
        let has_time = || self.began.elapsed() < MAX_TURN;
        let Shared { limits, buffered, .. } = &*self.connection.shared;
        let has_memory = || buffered.load(Ordering::Relaxed) < limits.buffered_bytes;
        self.answers.len() < MAX_ANSWERS
            && self.waiting < MAX_WAITING
            && (self.waiting == 0 || has_memory())
            && self.waiting_bytes < MAX_WAITING_BYTES
            && (self.requests % LOOK_AT_CLOCK != LOOK_AT_CLOCK - 1 || has_time())
    }

    /// Executes a line. Returns false if it has to wait, for writes that came before it: only
    /// another write need not, because the engine keeps their order.
    fn execute(&mut self, line: Line<'_>, is_first: bool) -> bool {
        let request = self.decode(&line);
        let size =
            |request: &Request| request.texts().map(|(key, value)| key.len() + value.len()).sum();
        let bytes = request.as_ref().map_or(0, size);
        let request = request.map(Request::into_write);
        if self.waiting > 0 && !matches!(request, Ok(Ok(_))) {
            self.collect();
            if self.waiting > 0 {
                return false;
            }
        }
        self.requests += 1;
        match request {
            Ok(Ok(write)) => {
                let done = self.begin_write(bytes);
                self.engine.round([(write, done)]);
                self.collect();
            }
            Ok(Err(request)) => {
                let answer = self.read(request);
                self.answer(answer);
            }
            Err(error) if is_first && matches!(line, Line::Whole(line) if !is_object(line)) => {
                self.foreign = Some(error);
            }
            Err(error) => self.answer(Err(error)),
        }
        true
    }

    fn read(&self, request: Request) -> Result<Response> {
        Ok(match request {
            Request::Get { key } => Response::Ok(self.engine.get(key)?),
            Request::Len {} => Response::Len(self.engine.len()?),
            Request::Keys { cursor, limit } => Response::Keys(self.engine.keys(cursor, limit)?),
            _ => {
                let text = self.connection.shared.stats_text() + &self.engine.stats_text();
                Response::Ok(Some(text))
            }
        })
    }

    fn decode(&self, line: &Line<'_>) -> Result<Request> {
        let limits = &self.connection.shared.limits;
        let Line::Whole(line) = line else {
            let message = format!("the line is longer than {} bytes", limits.request_bytes);
            return Err(KvsError::Protocol(message));
        };
        let request = protocol::decode(line)?;
        for (key, value) in request.texts() {
            for (what, len, limit) in
                [("key", key.len(), limits.key_bytes), ("value", value.len(), limits.value_bytes)]
            {
                if len > limit {
                    return Err(KvsError::TooLarge { what, len, limit });
                }
            }
        }
        Ok(request)
    }

    /// Begins a write; what is returned is to be called with what came of it, by whoever knows.
    fn begin_write(&mut self, bytes: usize) -> impl FnOnce(Result<()>) + Send + 'static {
        self.waiting += 1;
        self.waiting_bytes += bytes;
        let number = self.connection.writes().begin(bytes);
        let write = Write { connection: Arc::clone(self.connection), number, result: None };
        move |result| write.finish(result)
    }

    /// Answers the writes that are done, as far as all before them are.
    pub(super) fn collect(&mut self) {
        if self.waiting == 0 {
            return;
        }
        let connection = self.connection;
        let mut writes = connection.writes();
        while let Some(result) = writes.take() {
            self.answer(result.map(|()| Response::Ok(None)));
        }
        self.waiting = writes.len();
        self.waiting_bytes = writes.bytes();
    }

    fn answer(&mut self, result: Result<Response>) {
        self.errors += u64::from(result.is_err());
        protocol::encode(self.answers, &Response::from(result));
    }

    /// Answers with an error that is no request's.
    pub(super) fn answer_error(&mut self, message: String) {
        self.answer(Err(KvsError::Server(message)));
    }

    /// Whether there was one.
    pub(super) fn any(&self) -> bool {
        self.requests > 0
    }

    /// Writes that have no answer yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Ends the turn, in which so many bytes were received.
    pub(super) fn finish(self, received: usize) -> usize {
        let counters = &self.connection.shared.counters;
        counters.requests.add(self.requests);
        counters.errors.add(self.errors);
        counters.bytes_in.add(received as u64);
        counters.turns.add(1);
        self.waiting
    }
}

/// A write under way. When it is dropped its connection is told what came of it, also if the engine
/// has dropped it without a word.
struct Write {
    connection: Arc<Connection>,
    number: u64,
    result: Option<Result<()>>,
}

impl Write {
    fn finish(mut self, result: Result<()>) {
        self.result = Some(result);
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        let result = self.result.take().unwrap_or_else(|| {
            Err(KvsError::Server("the engine did not say what came of the write".to_owned()))
        });
        let wake = self.connection.writes().finish(self.number, result);
        if wake {
            self.connection.wake();
        }
    }
}
