//! A turn of a connection: it reads once, executes what has arrived, and answers with one write.
//!
//! A turn with writes pauses in the middle, until the loop has given them to the engine together with those of
//! its other connections. At most one turn is under way at a time, whichever thread gives it, so answers are in
//! the order of the requests.

use super::connection::{Begun, Connection, Inner, Paused};
use super::event_loop::EventLoop;
use super::io::{self, Output};
use super::notes::{ABORTED, HUNG_UP, READY};
use super::requests::{Answers, Requests};
use super::state::{Close, Left, Next, Turn, Verdict};
use super::stats::Counters;
use crate::KvsEngine;
use crate::protocol::KEPT_BUFFER;
use crate::sync::{Instant, MutexGuard};
use std::net;
use std::sync::Arc;

/// How much a turn reads at most, in bytes.
const MAX_READ: usize = KEPT_BUFFER;

/// What a thread that serves connections has for them.
pub(super) struct Context<'a, E> {
    pub(super) engine: &'a E,
    /// The thread's own loop, which a connection that it serves need not belong to.
    pub(super) event_loop: &'a EventLoop<Connection>,
    counters: &'a Counters,
    /// What the server says about itself.
    stats: &'a dyn Fn() -> String,
    /// Buffers that are used in a turn and empty between turns, so that an idle connection has none.
    read: Vec<u8>,
    answers: Vec<u8>,
}

impl<'a, E> Context<'a, E> {
    pub(super) fn new(
        engine: &'a E,
        event_loop: &'a EventLoop<Connection>,
        counters: &'a Counters,
        stats: &'a dyn Fn() -> String,
    ) -> Context<'a, E> {
        Context {
            engine,
            event_loop,
            counters,
            stats,
            read: vec![0; MAX_READ],
            answers: Vec::new(),
        }
    }

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

/// How far a turn has come.
enum Step {
    Pause(Paused),
    End(Next),
}

impl Connection {
    /// Gives it a turn, for which it was queued. Returns the turn if it waits for writes.
    pub(super) fn turn<E: KvsEngine>(
        self: &Arc<Self>,
        context: &mut Context<'_, E>,
        began: Instant,
    ) -> Option<Paused> {
        let notes = self.notes.begin_turn();
        if notes & ABORTED != 0 {
            // It stays busy for ever.
            self.close(Close::Aborted);
            return None;
        }
        let mut inner = self.inner();
        inner.state.begin(notes & READY != 0, notes & HUNG_UP != 0, self.shared.time());
        match self.close_on_panic(|| self.serve(&mut inner, context, began)) {
            Ok(Step::Pause(paused)) => return Some(paused),
            Ok(Step::End(next)) => self.end_turn(inner, context.event_loop, Ok(next)),
            Err(error) => self.end_turn(inner, context.event_loop, Err(error)),
        }
        None
    }

    /// Ends a turn whose writes the engine has.
    pub(super) fn finish<E>(paused: Paused, context: &mut Context<'_, E>) {
        let Paused { connection, writes, turn, answers, errors } = paused;
        drop(writes);
        context.begin(answers);
        let mut inner = connection.inner();
        let next =
            connection.close_on_panic(|| connection.answer(&mut inner, context, turn, errors));
        connection.end_turn(inner, context.event_loop, next);
    }

    /// After a turn: closes it, or has it wait for what comes, or queues it with the thread's loop.
    fn end_turn(
        self: &Arc<Self>,
        inner: MutexGuard<'_, Inner>,
        event_loop: &EventLoop<Connection>,
        next: std::io::Result<Next>,
    ) {
        self.set_look(&inner);
        drop(inner);
        match next {
            Err(_) => self.close(Close::Lost),
            Ok(Next::Close(why)) => self.close(why),
            Ok(Next::Wait) if self.notes.end_turn() => {}
            Ok(Next::Wait | Next::Again | Next::EndStream) => event_loop.push(Arc::clone(self)),
        }
    }

    /// Does what is to be done until the writes, or until the end if there are none.
    fn serve<E: KvsEngine>(
        self: &Arc<Self>,
        inner: &mut Inner,
        context: &mut Context<'_, E>,
        began: Instant,
    ) -> std::io::Result<Step> {
        context.begin(Vec::new());
        if inner.state.is_draining() {
            let received = io::receive(&self.stream, &mut context.read)?;
            inner.state.received(received);
            return Ok(Step::End(inner.state.drained(received, self.shared.time())));
        }
        let mut turn = Turn::default();
        if inner.output.len() > 0 {
            if !self.send_rest(inner, context.counters)? {
                let next = inner.state.is_stuck(self.shared.time());
                return Ok(Step::End(count_timeout(next, context.counters)));
            }
            turn.answered = true;
        }
        let (writes, errors) = self.execute(inner, context, &mut turn, began)?;
        if let Some(why) = self.judge(inner, turn, context.counters) {
            return Ok(Step::End(count_timeout(Next::Close(why), context.counters)));
        }
        if writes.is_empty() {
            return self.answer(inner, context, turn, errors).map(Step::End);
        }
        self.count_buffers(inner);
        let answers = std::mem::take(&mut context.answers);
        let (connection, writes) = (Arc::clone(self), writes.into_iter());
        Ok(Step::Pause(Paused { connection, writes, turn, answers, errors }))
    }

    /// Sends what was kept. Returns whether nothing is left.
    fn send_rest(&self, inner: &mut Inner, counters: &Counters) -> std::io::Result<bool> {
        let sent = inner.output.send(&self.stream)?;
        counters.bytes_out.add(sent as u64);
        inner.state.progress(sent, self.shared.time());
        self.count_buffers(inner);
        let all_sent = inner.output.len() == 0;
        if all_sent {
            self.home.poller().watch_output(&self.stream, self.token, false)?;
        }
        Ok(all_sent)
    }

    /// Reads once, if it is time to, and executes what has arrived. Returns the writes that the round takes, and
    /// how many of the answers are errors.
    fn execute<E: KvsEngine>(
        self: &Arc<Self>,
        inner: &mut Inner,
        context: &mut Context<'_, E>,
        turn: &mut Turn,
        began: Instant,
    ) -> std::io::Result<(Vec<Begun>, u64)> {
        let (shared, counters) = (&*self.shared, context.counters);
        let stopping = shared.is_stopping();
        if inner.state.wants_read(stopping) {
            let received = io::receive(&self.stream, &mut context.read)?;
            inner.state.received(received);
            (turn.received, turn.is_last) = (received.bytes(), stopping);
        }
        let mut answers = Answers { bytes: &mut context.answers, errors: 0 };
        let waiting = match inner.has_writes {
            true => answers.collect(&mut self.writes()),
            false => (0, 0),
        };
        let mut requests = Requests {
            engine: context.engine,
            shared,
            stats: context.stats,
            writer: self,
            writes: &self.writes,
            answers,
            waiting,
            began,
            count: 0,
            has_begun: false,
            waits_for_all: inner.waits_for_all,
            round: Vec::new(),
            foreign: None,
        };
        let held_back = inner.input.execute(&context.read[..turn.received], &mut requests);
        let Requests { answers, waiting, count, has_begun, waits_for_all, round, foreign, .. } =
            requests;
        inner.state.set_held_back(held_back);
        inner.waits_for_all = waits_for_all;
        inner.counts_writes |= has_begun;
        inner.has_writes = waiting.0 > 0;
        turn.executed = count > 0;
        counters.requests.add(count);
        counters.bytes_in.add(turn.received as u64);
        counters.turns.add(1);
        if let Some(error) = foreign {
            // That of a client that is gone may not be known.
            let peer = self.stream.peer_addr().map_or("somewhere".into(), |peer| peer.to_string());
            shared.warnings.foreign.warn(format_args!("from {peer}"));
            inner.give_up(Close::Foreign, format!("{error}; the connection is closed"));
        }
        if !inner.input.is_discarding() {
            inner.state.progress(turn.received, shared.time());
        }
        Ok((round, answers.errors))
    }

    /// Whether it goes on. Returns why it is closed at once, if so.
    fn judge(&self, inner: &mut Inner, turn: Turn, counters: &Counters) -> Option<Close> {
        let no_memory = self.has_too_much(inner);
        match inner.state.verdict(turn, no_memory, self.shared.time()) {
            Verdict::GoOn => return None,
            Verdict::Close(why) => return Some(why),
            Verdict::GiveUp(why @ Close::TimedOut(_)) => {
                counters.timed_out.add(1);
                let time = self.shared.limits.request_time.as_secs_f32();
                inner.give_up(why, format!("the request took longer than {time} s to arrive"));
            }
            Verdict::GiveUp(why) => {
                inner.give_up(why, "the server has no memory for the request now".to_owned());
            }
        }
        None
    }

    /// Sends the answers, with those to the writes that are done, and says what comes next.
    fn answer<E>(
        &self,
        inner: &mut Inner,
        context: &mut Context<'_, E>,
        mut turn: Turn,
        errors: u64,
    ) -> std::io::Result<Next> {
        let (counters, clock) = (context.counters, self.shared.time());
        let mut answers = Answers { bytes: &mut context.answers, errors };
        if inner.has_writes {
            inner.has_writes = answers.collect(&mut self.writes()).0 > 0;
        }
        if !inner.has_writes
            && let Some(farewell) = inner.farewell.take()
        {
            answers.add(Err(*farewell));
        }
        counters.errors.add(answers.errors);
        turn.answered |= !context.answers.is_empty();
        // Before the answer is sent: the client that has it finds room for its next request.
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
}

fn count_timeout(next: Next, counters: &Counters) -> Next {
    counters.timed_out.add(u64::from(matches!(next, Next::Close(Close::TimedOut(_)))));
    next
}
