//! A turn of a connection: it reads once, executes what has arrived, and answers with one write.
//!
//! A turn with writes pauses in the middle, until the loop has given them to the engine together with those of
//! its other connections. At most one turn is under way at a time, whichever thread gives it, so answers are in
//! the order of the requests.

use super::common::{Common, Peer};
use super::connection::{Close, Left, Next, State, Turn, Verdict};
use super::event_loop::{EventLoop, Served};
use super::io::{self, Output};
use super::notes::{ABORTED, HUNG_UP, Notes, READY};
use super::poller::Event;
use super::requests::{Answers, Input, Requests};
use super::stats::Counters;
use super::writes::{Outcome, Waiter, Writer, Writes};
use crate::protocol::KEPT_BUFFER;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Instant, Mutex, MutexGuard};
use crate::{KvsEngine, KvsError, Write};
use mio::net::TcpStream;
use std::io::Result as IoResult;
use std::net;
use std::sync::{Arc, PoisonError};

/// How much a turn reads at most, in bytes.
const MAX_READ: usize = KEPT_BUFFER;

pub(super) struct Connection {
    stream: TcpStream,
    token: usize,
    /// The loop that it belongs to, and the number of that.
    home: Arc<EventLoop<Connection>>,
    number: usize,
    common: Arc<Common>,
    notes: Notes,
    /// From when on a sweep wakes it, in [`Common::clock`]'s milliseconds. Seeing it a round late does no
    /// harm: `Relaxed`.
    look_at: AtomicU64,
    /// Held for a turn, of which only one is under way.
    inner: Mutex<Inner>,
    /// Locked for a look. What comes first in here is written by those who finish writes.
    writes: Mutex<Writes>,
}

/// What the turns of a connection hand on to the next.
struct Inner {
    state: State,
    input: Input,
    output: Output,
    /// The last answer, an error, to be sent after those to the writes under way.
    farewell: Option<String>,
    /// Whether there are writes under way.
    has_writes: bool,
    /// Bytes that are counted among the buffers of its loop.
    counted: usize,
}

/// What a thread that serves connections has for them.
pub(super) struct Context<'a, E> {
    pub(super) engine: &'a E,
    /// The loop of the thread.
    pub(super) home: &'a EventLoop<Connection>,
    pub(super) counters: &'a Counters,
    /// What the server says about itself.
    pub(super) stats: &'a dyn Fn() -> String,
    /// Buffers that are used in a turn and empty between turns, so that an idle connection has none.
    read: Vec<u8>,
    answers: Vec<u8>,
}

impl<'a, E> Context<'a, E> {
    pub(super) fn new(
        engine: &'a E,
        home: &'a EventLoop<Connection>,
        counters: &'a Counters,
        stats: &'a dyn Fn() -> String,
    ) -> Context<'a, E> {
        let (read, answers) = (vec![0; MAX_READ], Vec::new());
        Context { engine, home, counters, stats, read, answers }
    }
}

/// A turn that waits for its writes.
pub(super) struct Paused {
    connection: Arc<Connection>,
    writes: std::vec::IntoIter<(Write, Waiter<Connection>)>,
    turn: Turn,
    /// What came before the writes.
    answers: Vec<u8>,
    errors: u64,
}

impl Iterator for Paused {
    type Item = (Write, Waiter<Connection>);

    fn next(&mut self) -> Option<Self::Item> {
        self.writes.next()
    }
}

impl Served for Connection {
    type Paused = Paused;

    fn notice(&self, event: Event) -> bool {
        let readable = if event.readable { READY } else { 0 };
        self.notes.leave(if event.hung_up { READY | HUNG_UP } else { readable })
    }
}

impl Writer for Connection {
    fn finish_write(self: &Arc<Self>, number: u64, result: Outcome) {
        let wanted = self.writes().finish(number, result);
        if wanted {
            self.wake(false);
        }
    }

    fn give_up(self: &Arc<Self>) {
        self.abort();
    }
}

impl Connection {
    pub(super) fn new(
        common: &Arc<Common>,
        (home, number): (&Arc<EventLoop<Connection>>, usize),
        stream: TcpStream,
        token: usize,
    ) -> Connection {
        let state = State::new(common.time());
        Connection {
            stream,
            token,
            home: Arc::clone(home),
            number,
            common: Arc::clone(common),
            notes: Notes::default(),
            look_at: AtomicU64::new(state.look_at(common.time())),
            inner: Mutex::new(Inner {
                state,
                input: Input::new(&common.limits),
                output: Output::default(),
                farewell: None,
                has_writes: false,
                counted: 0,
            }),
            writes: Mutex::default(),
        }
    }

    /// Sees to it that it gets a turn, now or when the one that is under way ends; and that what has arrived
    /// and was not reported yet is read, if so.
    pub(super) fn wake(self: &Arc<Self>, to_read: bool) {
        if self.notes.leave(if to_read { READY } else { 0 }) {
            self.home.push(Arc::clone(self));
        }
    }

    /// Ends it, whatever it waits for. The client sees it at once, even if a write that is under way
    /// still holds the socket.
    pub(super) fn abort(self: &Arc<Self>) {
        let _ = self.stream.shutdown(net::Shutdown::Both);
        if self.notes.leave(ABORTED) {
            self.home.push(Arc::clone(self));
        }
    }

    /// Whether a sweep has to wake it.
    pub(super) fn wants_look(&self, clock: u64) -> bool {
        self.look_at.load(Ordering::Relaxed) <= clock
    }

    fn close(&self, why: Close) {
        self.home.forget(self.token);
        log::debug!("connection {}.{} is closed: {why}", self.number, self.token);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // After a panic it is closed, and looked at only to count its buffers.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writes(&self) -> MutexGuard<'_, Writes> {
        // Nothing that can panic runs under this lock but an allocation.
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives it a turn, for which it was queued. Returns the turn if it waits for writes.
    pub(super) fn turn<E: KvsEngine>(
        self: &Arc<Self>,
        context: &mut Context<'_, E>,
        began: Instant,
    ) -> Option<Paused> {
        let notes = self.notes.begin_turn();
        if notes & ABORTED != 0 {
            // It stays busy for ever.
            self.close(Close::Stopping);
            return None;
        }
        let mut inner = self.inner();
        let (readable, hung_up) = (notes & READY != 0, notes & HUNG_UP != 0);
        inner.state.begin(readable, hung_up, self.common.time());
        let close_on_panic = CloseOnPanic(self);
        let served = self.serve(&mut inner, context, began);
        std::mem::forget(close_on_panic);
        match served {
            Ok(Ok(next)) => self.leave(inner, context.home, Ok(next)),
            Ok(Err(paused)) => return Some(paused),
            Err(error) => self.leave(inner, context.home, Err(error)),
        }
        None
    }

    /// Ends a turn whose writes the engine has.
    pub(super) fn finish<E>(paused: Paused, context: &mut Context<'_, E>) {
        let Paused { connection, writes, turn, answers, errors } = paused;
        drop(writes);
        context.begin(answers);
        let mut inner = connection.inner();
        let next = connection.answer(&mut inner, context, turn, errors);
        connection.leave(inner, context.home, next);
    }

    fn leave(
        self: &Arc<Self>,
        inner: MutexGuard<'_, Inner>,
        home: &EventLoop<Connection>,
        next: IoResult<Next>,
    ) {
        self.look_at.store(inner.state.look_at(self.common.time()), Ordering::Relaxed);
        drop(inner);
        match next {
            Err(_) => self.close(Close::Lost),
            Ok(Next::Close(why)) => self.close(why),
            Ok(Next::Wait) if self.notes.end_turn() => {}
            Ok(Next::Wait | Next::Again | Next::EndStream) => home.push(Arc::clone(self)),
        }
    }

    /// Does what is to be done until the writes, or until the end if there are none.
    fn serve<E: KvsEngine>(
        self: &Arc<Self>,
        inner: &mut Inner,
        context: &mut Context<'_, E>,
        began: Instant,
    ) -> IoResult<std::result::Result<Next, Paused>> {
        let (common, counters, clock) = (&*self.common, context.counters, self.common.time());
        context.begin(Vec::new());
        let mut turn = Turn::default();
        if inner.state.is_draining() {
            let received = io::receive(&self.stream, &mut context.read)?;
            inner.state.received(received);
            return Ok(Ok(inner.state.drained(received, clock)));
        }
        if inner.output.len() > 0 {
            let all_sent = self.send_rest(inner, counters)?;
            self.count_buffers(inner);
            if !all_sent {
                return Ok(Ok(self.count_timeout(inner.state.is_stuck(clock), counters)));
            }
            turn.answered = true;
        }
        let mut answers = Answers { bytes: &mut context.answers, errors: 0 };
        let waiting = match inner.has_writes {
            true => answers.collect(&mut self.writes()),
            false => (0, 0),
        };
        let mut requests = Requests {
            engine: context.engine,
            common,
            stats: context.stats,
            writer: self,
            writes: &self.writes,
            answers,
            waiting,
            began,
            count: 0,
            round: Vec::new(),
            foreign: None,
        };
        let stopping = common.is_stopping();
        let reads = inner.state.wants_read(stopping);
        if reads {
            let received = io::receive(&self.stream, &mut context.read)?;
            inner.state.received(received);
            turn.received = received.bytes();
        }
        let held_back = inner.input.execute(&context.read[..turn.received], &mut requests);
        inner.state.set_held_back(held_back);
        let Requests { answers, waiting, count, round, foreign, .. } = requests;
        let errors = answers.errors;
        turn.executed = count > 0;
        counters.requests.add(count);
        counters.bytes_in.add(turn.received as u64);
        counters.turns.add(1);
        if let Some(error) = foreign {
            let peer = Peer(self.stream.peer_addr().ok());
            common.warnings.foreign.warn(format_args!("from {peer}"));
            inner.give_up(Close::Foreign, format!("{error}; the connection is closed"));
        }
        if !inner.input.is_discarding() {
            inner.state.progress(turn.received, clock);
        }
        let no_memory = self.has_too_much(inner);
        match inner.state.verdict(turn, no_memory, reads && stopping, clock) {
            Verdict::GoOn => {}
            Verdict::Close(why) => return Ok(Ok(self.count_timeout(Next::Close(why), counters))),
            Verdict::GiveUp(why @ Close::TimedOut(_)) => {
                counters.timed_out.add(1);
                let time = common.limits.request_time.as_secs_f32();
                inner.give_up(why, format!("the request took longer than {time} s to arrive"));
            }
            Verdict::GiveUp(why) => {
                inner.give_up(why, "the server has no memory for the request now".to_owned());
            }
        }
        inner.has_writes = waiting.0 > 0;
        if round.is_empty() {
            return self.answer(inner, context, turn, errors).map(Ok);
        }
        self.count_buffers(inner);
        let answers = std::mem::take(&mut context.answers);
        let (connection, writes) = (Arc::clone(self), round.into_iter());
        Ok(Err(Paused { connection, writes, turn, answers, errors }))
    }

    /// Sends the answers, with those to the writes that are done, and says what comes next.
    fn answer<E>(
        &self,
        inner: &mut Inner,
        context: &mut Context<'_, E>,
        mut turn: Turn,
        errors: u64,
    ) -> IoResult<Next> {
        let (counters, clock) = (context.counters, self.common.time());
        let mut answers = Answers { bytes: &mut context.answers, errors };
        if inner.has_writes {
            inner.has_writes = answers.collect(&mut self.writes()).0 > 0;
        }
        if !inner.has_writes
            && let Some(message) = inner.farewell.take()
        {
            answers.add(Err(KvsError::Server(message)));
        }
        counters.errors.add(answers.errors);
        turn.answered |= !context.answers.is_empty();
        // Before the answer is sent: who has it finds room for the next one.
        self.count_buffers(inner);
        let sent = io::send(&self.stream, &context.answers)?;
        counters.bytes_out.add(sent as u64);
        if sent < context.answers.len() {
            inner.output = Output::new(&context.answers[sent..]);
            self.home.poller().watch_output(&self.stream, self.token, true)?;
            if self.has_too_much(inner) {
                return Ok(Next::Close(Close::Refused));
            }
            self.count_buffers(inner);
        }
        let unsent = inner.output.len() > 0;
        let left = Left {
            unsent,
            waiting: inner.has_writes,
            is_done: !unsent && inner.has_writes && self.writes().want(),
            partial: inner.input.len() > 0 || inner.input.is_discarding(),
        };
        let next = inner.state.next(turn, left, clock);
        if next == Next::EndStream {
            self.stream.shutdown(net::Shutdown::Write)?;
            inner.input.clear();
        }
        Ok(next)
    }

    /// Sends what was kept. Returns whether nothing is left.
    fn send_rest(&self, inner: &mut Inner, counters: &Counters) -> IoResult<bool> {
        let sent = inner.output.send(&self.stream)?;
        counters.bytes_out.add(sent as u64);
        inner.state.progress(sent, self.common.time());
        if inner.output.len() > 0 {
            return Ok(false);
        }
        self.home.poller().watch_output(&self.stream, self.token, false)?;
        Ok(true)
    }

    fn count_timeout(&self, next: Next, counters: &Counters) -> Next {
        counters.timed_out.add(u64::from(matches!(next, Next::Close(Close::TimedOut(_)))));
        next
    }

    fn has_too_much(&self, inner: &Inner) -> bool {
        let own = inner.input.len() + inner.output.len();
        let others = || self.common.buffered().saturating_sub(inner.counted);
        own > KEPT_BUFFER && others() + own > self.common.limits.buffered_bytes
    }

    fn count_buffers(&self, inner: &mut Inner) {
        let writes = if inner.has_writes { self.writes().size().1 } else { 0 };
        let count = inner.input.len() + inner.output.len() + writes;
        self.common.counters[self.number].rebuffer(inner.counted, count);
        inner.counted = count;
    }
}

impl<E> Context<'_, E> {
    /// The next turn, with answers of its own.
    fn begin(&mut self, answers: Vec<u8>) {
        if answers.is_empty() {
            self.answers.clear();
            self.answers.shrink_to(KEPT_BUFFER);
        } else {
            self.answers = answers;
        }
    }
}

impl Inner {
    /// Ends it with an error in place of what is left of the input.
    fn give_up(&mut self, why: Close, message: String) {
        self.state.give_up(why);
        self.farewell = Some(message);
        self.input.clear();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.common.counters[self.number].rebuffer(inner.counted, 0);
    }
}

/// Closes a connection whose request panics.
struct CloseOnPanic<'a>(&'a Connection);

impl Drop for CloseOnPanic<'_> {
    fn drop(&mut self) {
        self.0.close(Close::Panic);
    }
}
