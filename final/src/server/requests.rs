//! Requests: decoded, executed one by one, and answered in their order.

use super::limits::Limits;
use super::shared::Shared;
use super::writes::{Waiter, Writer, Writes};
use crate::protocol::{self, KEPT_BUFFER, Line, LineDecoder, Request, Response, is_object};
use crate::sync::{Instant, Mutex};
use crate::{KvsEngine, KvsError, Result, Write};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// So many bytes of answers are sent before more requests are executed.
const MAX_ANSWERS: usize = 64 << 10;
/// So many writes of a connection may be under way at a time.
const MAX_WAITING: usize = 1024;
/// And so many bytes of their keys and values, unless a single one has more. A get that waits counts as what the last
/// one has found.
const MAX_WAITING_BYTES: usize = 1 << 20;
/// After this time a turn ends, in which many requests may have come together, and an engine may be
/// slow. Looked at every so many requests.
const MAX_TURN: Duration = Duration::from_millis(1);
const LOOK_AT_CLOCK: u64 = 16;
/// So many writes that came with a read behind them are done at once; more have to wait for the round.
const FEW: usize = 16;

/// The answers of a turn, encoded, and how many of them are errors.
pub(super) struct Answers<'a> {
    pub(super) bytes: &'a mut Vec<u8>,
    pub(super) errors: u64,
}

impl Answers<'_> {
    pub(super) fn add(&mut self, result: Result<Response>) {
        self.errors += u64::from(result.is_err());
        protocol::encode(self.bytes, &Response::from(result));
    }

    /// Answers the writes that are done, as far as all before them are, and as many as are sent at once. Returns
    /// how many have no answer, and their bytes.
    pub(super) fn collect(&mut self, writes: &mut Writes) -> (usize, usize) {
        while self.bytes.len() < MAX_ANSWERS
            && let Some(result) = writes.take()
        {
            self.add(result.map(Response::Ok));
        }
        writes.size()
    }
}

/// The requests of one turn of a connection. Reads go to the engine one by one. Writes are kept for the
/// round, unless a read comes behind them that has to see them. A get that would wait is begun, as a write is.
pub(super) struct Requests<'a, E, W: Writer> {
    pub(super) engine: &'a E,
    pub(super) shared: &'a Shared,
    pub(super) stats: &'a dyn Fn() -> String,
    pub(super) writer: &'a Arc<W>,
    pub(super) writes: &'a Mutex<Writes>,
    pub(super) answers: Answers<'a>,
    /// The number and the bytes of the writes that were begun and have no answer yet.
    pub(super) waiting: (usize, usize),
    pub(super) began: Instant,
    /// Requests that were executed.
    pub(super) count: u64,
    /// Whether some of them were begun.
    pub(super) has_begun: bool,
    /// Whether the first line that is left waits until no write is under way, as the turn before has found.
    pub(super) waits_for_all: bool,
    /// Writes of this turn that the engine does not have yet.
    pub(super) round: Vec<(Write, Waiter<W>)>,
    /// What is wrong with a line that is of another protocol.
    pub(super) foreign: Option<KvsError>,
}

impl<E: KvsEngine, W: Writer> Requests<'_, E, W> {
    /// Executes the lines in `bytes`, as many as may be now. Returns how many bytes were dealt with,
    /// and whether there are lines that have to wait for something else. A line of another protocol
    /// is the last one.
    fn execute_all(&mut self, bytes: &[u8], lines: &mut LineDecoder) -> (usize, bool) {
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
        let (waiting, bytes) = self.waiting;
        let has_time = || self.began.elapsed() < MAX_TURN;
        // What other connections hold is only looked at by those that hold much.
        let limit = self.shared.limits.buffered_bytes;
        let has_memory = || bytes < KEPT_BUFFER || self.shared.buffered() < limit;
        self.answers.bytes.len() < MAX_ANSWERS
            && waiting < MAX_WAITING
            && has_memory()
            && bytes < MAX_WAITING_BYTES
            && (self.count % LOOK_AT_CLOCK != LOOK_AT_CLOCK - 1 || has_time())
    }

    /// Executes a line. Returns false if it has to wait, for writes that came before it: only
    /// another write need not, or a get that is begun as one, because the engine keeps their order.
    fn execute(&mut self, line: Line<'_>, is_first: bool) -> bool {
        let request = self.decode(&line);
        let size =
            |request: &Request| request.texts().map(|(key, value)| key.len() + value.len()).sum();
        let bytes = request.as_ref().map_or(0, size);
        let request = request.map(Request::into_write);
        let is_begun = match &request {
            Ok(Err(Request::Get { .. })) => E::GETS_WAIT,
            other => matches!(other, Ok(Ok(_))),
        };
        if self.waiting.0 > 0 && !is_begun && !self.writes_are_done() {
            self.waits_for_all = true;
            return false;
        }
        self.count += 1;
        match request {
            Ok(Ok(write)) => {
                let waiter = self.begin(|writes| writes.begin(bytes));
                self.round.push((write, waiter));
            }
            Ok(Err(Request::Get { key })) if E::GETS_WAIT => {
                self.give_round();
                let waiter = self.begin(|writes| writes.begin_get(bytes));
                self.engine.get_then(key, move |found| waiter.finish(found));
            }
            Ok(Err(request)) => {
                let answer = self.read(request);
                self.answers.add(answer);
            }
            Err(error) if is_first && matches!(line, Line::Whole(line) if !is_object(line)) => {
                self.foreign = Some(error);
            }
            Err(error) => self.answers.add(Err(error)),
        }
        true
    }

    /// A request is about to be under way.
    fn begin(&mut self, begin: impl FnOnce(&mut Writes) -> u64) -> Waiter<W> {
        let writes = self.writes;
        let mut writes = writes.lock().unwrap_or_else(PoisonError::into_inner);
        let number = begin(&mut writes);
        self.waiting = writes.size();
        self.has_begun = true;
        Waiter::new(self.writer, number)
    }

    /// Gives the engine the writes so far, before what has to come after them.
    fn give_round(&mut self) {
        let round = std::mem::take(&mut self.round);
        if !round.is_empty() {
            self.engine.round(round.into_iter().map(Waiter::told));
        }
    }

    /// Answers the writes before this request, if they are done.
    fn writes_are_done(&mut self) -> bool {
        if self.round.len() <= FEW {
            self.give_round();
            let writes = self.writes;
            let mut writes = writes.lock().unwrap_or_else(PoisonError::into_inner);
            self.waiting = self.answers.collect(&mut writes);
        }
        self.waiting.0 == 0
    }

    fn read(&self, request: Request) -> Result<Response> {
        Ok(match request {
            Request::Get { key } => Response::Ok(self.engine.get(key)?),
            Request::Len {} => Response::Len(self.engine.len()?),
            Request::Keys { cursor, limit } => Response::Keys(self.engine.keys(cursor, limit)?),
            _ => Response::Ok(Some((self.stats)() + &self.engine.stats_text())),
        })
    }

    fn decode(&self, line: &Line<'_>) -> Result<Request> {
        let limits = &self.shared.limits;
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
}

/// What has arrived of a connection and was not executed.
pub(super) struct Input {
    bytes: Vec<u8>,
    lines: LineDecoder,
}

impl Input {
    pub(super) fn new(limits: &Limits) -> Input {
        Input { bytes: Vec::new(), lines: LineDecoder::new(limits.request_bytes) }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        self.bytes = Vec::new();
    }

    /// Whether a line is arriving that is too long, of which nothing is kept.
    pub(super) fn is_discarding(&self) -> bool {
        self.lines.is_discarding()
    }

    /// Executes the requests that are whole: what was left over, then what was received. Returns whether some
    /// have to wait.
    pub(super) fn execute<E: KvsEngine, W: Writer>(
        &mut self,
        received: &[u8],
        requests: &mut Requests<'_, E, W>,
    ) -> bool {
        let waits = std::mem::take(&mut requests.waits_for_all);
        if self.bytes.is_empty() {
            let (done, held_back) = requests.execute_all(received, &mut self.lines);
            self.bytes = received[done..].to_vec();
            return held_back;
        }
        self.bytes.extend_from_slice(received);
        // A line that waits may be long, so it isn't decoded in every turn until then.
        if waits && requests.waiting.0 > 0 && !requests.writes_are_done() {
            requests.waits_for_all = true;
            return true;
        }
        let (done, held_back) = requests.execute_all(&self.bytes, &mut self.lines);
        self.bytes.drain(..done);
        let (len, capacity) = (self.bytes.len(), self.bytes.capacity());
        if len == 0 || capacity > KEPT_BUFFER && len < capacity / 4 {
            self.bytes.shrink_to_fit();
        }
        held_back
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::writes::Outcome;
    use super::*;
    use crate::KvStoreOptions;
    use crate::disk::SimulatedDisk;

    struct Client;

    impl Writer for Client {
        fn finish_write(self: &Arc<Self>, _: u64, _: Outcome) {}

        fn abort(self: &Arc<Self>) {}
    }

    #[test]
    fn a_request_that_waits_for_writes_is_not_decoded_again_until_they_are_done() {
        let store = KvStoreOptions::new().background(false).disk(SimulatedDisk::new());
        let (engine, shared) = (store.open("/").unwrap(), Shared::new(Limits::default()));
        let (mut input, writes) = (Input::new(&shared.limits), Mutex::new(Writes::default()));
        let mut waits_for_all = false;
        let mut turn = |input: &mut Input, received: &[u8]| {
            let answers = Answers { bytes: &mut Vec::new(), errors: 0 };
            let mut requests = Requests {
                engine: &engine,
                shared: &shared,
                stats: &String::new,
                writer: &Arc::new(Client),
                writes: &writes,
                answers,
                waiting: writes.lock().unwrap().size(),
                began: Instant::now(),
                count: 0,
                has_begun: false,
                waits_for_all,
                round: Vec::new(),
                foreign: None,
            };
            let held_back = input.execute(received, &mut requests);
            waits_for_all = requests.waits_for_all;
            (held_back, requests.count)
        };
        let number = writes.lock().unwrap().begin(1);
        let get = r#"{"Get":{"key":"a-long-key-instead"}}"#.to_owned() + "\n";
        assert_eq!(turn(&mut input, get.as_bytes()), (true, 0));
        // Were this decoded it would be begun.
        let set = r#"{"Set":{"key":"a","value":"12345"}}"#.to_owned() + " \n";
        assert_eq!(set.len(), get.len());
        input.bytes = set.into_bytes();
        assert_eq!(turn(&mut input, b""), (true, 0));
        writes.lock().unwrap().finish(number, Ok(None));
        assert_eq!(turn(&mut input, b""), (false, 1));
    }
}
