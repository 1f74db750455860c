//! A connection: what has arrived, what is to be sent, and whose turn it is.
//!
//! A connection is served in *turns*. A turn reads once, answers what has arrived, with one write, and
//! leaves; if there is more to do the connection goes to the end of the queue. At most one turn is
//! under way at a time, by whichever thread, so answers are in the order of the requests.

use super::close::{Close, Timer};
use super::deadline::NEVER;
use super::notes::{ABORTED, HUNG_UP, Notes, READY};
use super::requests::Requests;
use super::shared::{Peer, Shared};
use super::writes::Writes;
use crate::KvsEngine;
use crate::protocol::{KEPT_BUFFER, LineDecoder};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Instant, Mutex, MutexGuard};
use std::io;
use std::net::{self, TcpStream};
use std::sync::{Arc, PoisonError};

/// How much a turn reads at most, in bytes.
const MAX_READ: usize = KEPT_BUFFER;

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) token: usize,
    pub(super) shared: Arc<Shared>,
    notes: Notes,
    /// From when on a sweep wakes it, in [`Shared::clock`]'s milliseconds. Seeing it a round late does no
    /// harm: `Relaxed`.
    pub(super) look_at: AtomicU64,
    /// Held for a turn, of which only one is under way, or by who refuses the connection instead.
    inner: Mutex<Inner>,
    /// Locked for a look. What comes first in here is written by those who finish writes.
    pub(super) writes: Mutex<Writes>,
}

/// What the turns of a connection hand on to the next.
pub(super) struct Inner {
    /// What has arrived and was not executed.
    pub(super) input: Vec<u8>,
    pub(super) lines: LineDecoder,
    /// Whether `input` has whole requests, which wait for something else.
    pub(super) held_back: bool,
    /// Answers of which the client did not take all yet, and how much of them it took, in bytes.
    pub(super) output: Vec<u8>,
    pub(super) sent: usize,
    /// The socket may have bytes to read.
    pub(super) readable: bool,
    /// A short read does not mean that nothing is left: the end of the stream is.
    pub(super) hung_up: bool,
    pub(super) phase: Phase,
    /// The last answer, an error, to be sent after those to the writes under way.
    farewell: Option<String>,
    pub(super) timer: Timer,
    /// Until when the client has to do what the timer is for.
    pub(super) deadline: u64,
    /// How much of it has been done since it was given so long, in bytes.
    pub(super) progress: usize,
    /// Bytes that are counted in `Shared::buffered`.
    pub(super) counted: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// No more is read; what has arrived is answered.
    Ending(Close),
    /// All is sent, and the client was told that no more comes. What it still sends is thrown away:
    /// if the socket were closed now, the client's machine would throw away the answers.
    Draining(Close),
}

impl Inner {
    /// Ends it with an error in place of what is left of the input.
    fn give_up(&mut self, why: Close, message: String) {
        self.phase = Phase::Ending(why);
        self.farewell = Some(message);
        self.input = Vec::new();
        self.held_back = false;
    }
}

/// How a turn ends.
enum Turn {
    /// Until something happens.
    Wait,
    /// There is more to do.
    Again,
    Close(Close),
}

/// Buffers that are used in a turn and empty between turns, so that an idle connection has none.
pub(super) struct Scratch {
    read: Vec<u8>,
    answers: Vec<u8>,
}

impl Scratch {
    pub(super) fn new() -> Scratch {
        Scratch { read: vec![0; MAX_READ], answers: Vec::new() }
    }
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>, stream: TcpStream, token: usize) -> Connection {
        let timer = if shared.limits.idle_time.is_some() { Timer::Idle } else { Timer::None };
        let connection = Connection {
            stream,
            token,
            notes: Notes::default(),
            look_at: AtomicU64::new(NEVER),
            inner: Mutex::new(Inner {
                input: Vec::new(),
                lines: LineDecoder::new(shared.limits.request_bytes),
                held_back: false,
                output: Vec::new(),
                sent: 0,
                readable: false,
                hung_up: false,
                phase: Phase::Open,
                farewell: None,
                timer: Timer::None,
                deadline: NEVER,
                progress: 0,
                counted: 0,
            }),
            writes: Mutex::default(),
            shared,
        };
        connection.arm(&mut connection.inner(), timer, false);
        connection
    }

    /// Leaves a note that the socket is worth a look. Returns whether the caller has to queue it.
    pub(super) fn notice(&self, hung_up: bool) -> bool {
        self.notes.leave(if hung_up { READY | HUNG_UP } else { READY })
    }

    /// Sees to it that it gets a turn, now or when the one that is under way ends.
    pub(super) fn wake(self: &Arc<Self>) {
        if self.notes.leave(0) {
            self.shared.wake(Arc::clone(self));
        }
    }

    /// As [`Connection::wake`]; what has arrived and was not reported yet is to be read as well.
    pub(super) fn wake_to_read(self: &Arc<Self>) {
        if self.notes.leave(READY) {
            self.shared.wake(Arc::clone(self));
        }
    }

    /// Ends it, whatever it waits for. The client sees it at once, even if a write that is under way
    /// still holds the socket.
    pub(super) fn abort(self: &Arc<Self>) {
        let _ = self.stream.shutdown(net::Shutdown::Both);
        if self.notes.leave(ABORTED) {
            self.shared.wake(Arc::clone(self));
        }
    }

    /// Closes it for want of something, with an error for the requests that have arrived; without
    /// one if the client would take it for something else.
    pub(super) fn refuse(self: &Arc<Self>, why: &str) {
        let inner = self.inner();
        if inner.output.is_empty() && self.writes().len() == 0 {
            self.shared.refuse(&self.stream, self.stream.peer_addr().ok(), why);
        }
        self.shared.close(self, Close::Refused);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // After a panic in its turn a connection is closed, and gets no other.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn writes(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves the connection once. The caller has taken it from the queue.
    pub(super) fn turn<E: KvsEngine>(
        self: &Arc<Self>,
        engine: &E,
        scratch: &mut Scratch,
        began: Instant,
    ) {
        let note = self.notes.begin_turn();
        if note & ABORTED != 0 {
            return self.shared.close(self, Close::Stopping);
        }
        let end = {
            let close_on_panic = CloseOnPanic(self);
            let mut inner = self.inner();
            inner.readable |= note & READY != 0;
            inner.hung_up |= note & HUNG_UP != 0;
            let end = self.serve(&mut inner, engine, scratch, began);
            std::mem::forget(close_on_panic);
            end.unwrap_or(Turn::Close(Close::Lost))
        };
        match end {
            // It stays busy for ever, so that nobody queues it.
            Turn::Close(why) => self.shared.close(self, why),
            Turn::Wait if self.notes.end_turn() => {}
            // Nobody has to be rung for: this thread looks at the queue next.
            Turn::Wait | Turn::Again => drop(self.shared.schedule.push(Arc::clone(self))),
        }
    }

    fn serve<E: KvsEngine>(
        self: &Arc<Self>,
        inner: &mut Inner,
        engine: &E,
        scratch: &mut Scratch,
        began: Instant,
    ) -> io::Result<Turn> {
        let Scratch { read, answers } = scratch;
        answers.clear();
        answers.shrink_to(KEPT_BUFFER);
        if let Phase::Draining(why) = inner.phase {
            return self.drain(inner, read, why);
        }
        // One more look before the client is blamed: perhaps it was the server that came late.
        inner.readable |= self.is_due(inner);
        let was_stuck = !inner.output.is_empty();
        if was_stuck {
            let all_sent = self.send_rest(inner)?;
            self.count_buffers(inner);
            if !all_sent {
                if self.is_due(inner) {
                    return Ok(self.timed_out(Timer::Answer));
                }
                // A socket tells of room only when there is much of it.
                self.look_soon();
                return Ok(Turn::Wait);
            }
        }

        let mut requests = Requests::new(self, engine, answers, began);
        requests.collect();
        let may_read = inner.phase == Phase::Open && !inner.held_back;
        // Once the server stops it reads what has arrived, once: a client that goes on sending would
        // keep it from its end.
        let is_last = may_read && self.shared.is_stopping();
        let received = match may_read && (inner.readable || is_last) {
            true => self.receive(inner, read)?,
            false => 0,
        };
        self.execute(inner, &read[..received], &mut requests);
        let executed = requests.any();
        if let Some(error) = requests.foreign.take() {
            let peer = Peer(self.stream.peer_addr().ok());
            self.shared.warnings.foreign.warn(format_args!("from {peer}"));
            inner.give_up(Close::Foreign, format!("{error}; the connection is closed"));
        }
        if !inner.lines.is_discarding() {
            self.progress(inner, received);
        }
        if inner.phase == Phase::Open {
            let due = self.is_due(inner);
            if due && inner.timer == Timer::Idle && received == 0 {
                return Ok(self.timed_out(Timer::Idle));
            }
            if due && inner.timer == Timer::Request && !executed {
                self.shared.counters.timed_out.add(1);
                let time = self.shared.limits.request_time.as_secs_f32();
                let message = format!("the request took longer than {time} s to arrive");
                inner.give_up(Close::TimedOut(Timer::Request), message);
            } else if self.has_too_much(inner) {
                let message = "the server has no memory for the request now".to_owned();
                inner.give_up(Close::Refused, message);
            } else if is_last {
                inner.phase = Phase::Ending(Close::Stopping);
            }
        }
        if requests.waiting() == 0
            && let Some(message) = inner.farewell.take()
        {
            requests.answer_error(message);
        }
        let waiting = requests.finish(received);
        let answered = was_stuck || !answers.is_empty();
        // Before the answer is sent: whoever has it finds room for the next one.
        self.count_buffers(inner);
        self.send(inner, answers)?;
        if self.has_too_much(inner) {
            return Ok(Turn::Close(Close::Refused));
        }
        self.count_buffers(inner);
        self.leave(inner, waiting, executed, answered)
    }

    fn timed_out(&self, timer: Timer) -> Turn {
        self.shared.counters.timed_out.add(1);
        Turn::Close(Close::TimedOut(timer))
    }

    /// Decides how a turn ends in which everything was done that could be done.
    fn leave(
        &self,
        inner: &mut Inner,
        waiting: usize,
        executed: bool,
        answered: bool,
    ) -> io::Result<Turn> {
        if !inner.output.is_empty() {
            // What was kept before was taken, so the clock starts again.
            self.arm(inner, Timer::Answer, true);
            return Ok(Turn::Wait);
        }
        if waiting > 0 && self.writes().want() {
            return Ok(Turn::Again);
        }
        if waiting > 0 && (inner.held_back || inner.phase != Phase::Open) {
            self.arm(inner, Timer::None, false);
            return Ok(Turn::Wait);
        }
        if inner.held_back || (inner.phase == Phase::Open && inner.readable) {
            // Only a request that is arriving keeps its time.
            if executed || inner.timer != Timer::Request {
                self.arm(inner, Timer::None, false);
            }
            return Ok(Turn::Again);
        }
        if let Phase::Ending(why) = inner.phase {
            // At the end of the server also earlier answers may still be on their way.
            if why == Close::Done || !(answered || why == Close::Stopping) {
                return Ok(Turn::Close(why));
            }
            self.stream.shutdown(net::Shutdown::Write)?;
            inner.phase = Phase::Draining(why);
            inner.input = Vec::new();
            self.arm(inner, Timer::Drain, true);
            return Ok(Turn::Again);
        }
        let is_partial = !inner.input.is_empty() || inner.lines.is_discarding();
        match self.shared.limits.idle_time {
            _ if is_partial => self.arm(inner, Timer::Request, executed),
            Some(_) if waiting == 0 => self.arm(inner, Timer::Idle, true),
            _ => self.arm(inner, Timer::None, false),
        }
        Ok(Turn::Wait)
    }

    /// Executes the requests that are whole: what was left over, then what was received.
    fn execute<E: KvsEngine>(
        self: &Arc<Self>,
        inner: &mut Inner,
        received: &[u8],
        requests: &mut Requests<'_, E>,
    ) {
        let mut left_over = std::mem::take(&mut inner.input);
        if left_over.is_empty() {
            let (done, held_back) = requests.execute_all(received, &mut inner.lines);
            inner.held_back = held_back;
            inner.input = received[done..].to_vec();
            return;
        }
        left_over.extend_from_slice(received);
        let (done, held_back) = requests.execute_all(&left_over, &mut inner.lines);
        inner.held_back = held_back;
        left_over.drain(..done);
        if left_over.capacity() > KEPT_BUFFER && left_over.len() < left_over.capacity() / 4 {
            left_over.shrink_to_fit();
        }
        inner.input = if left_over.is_empty() { Vec::new() } else { left_over };
    }

    /// Throws away what the client sends until it has closed its side.
    fn drain(&self, inner: &mut Inner, buffer: &mut [u8], why: Close) -> io::Result<Turn> {
        let received = self.receive(inner, buffer)?;
        if let Phase::Ending(_) = inner.phase {
            return Ok(Turn::Close(why));
        }
        inner.phase = Phase::Draining(why);
        if received > 0 && why == Close::Stopping {
            // Whoever still sends has not seen the end yet. It has as long as the server gives all of them.
            self.arm(inner, Timer::None, false);
        }
        Ok(match received {
            _ if self.is_due(inner) => Turn::Close(why),
            0 => Turn::Wait,
            _ => Turn::Again,
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.shared.buffered.fetch_sub(inner.counted, Ordering::Relaxed);
    }
}

/// Closes a connection whose request panics.
struct CloseOnPanic<'a>(&'a Connection);

impl Drop for CloseOnPanic<'_> {
    fn drop(&mut self) {
        self.0.shared.close(self.0, Close::Panic);
    }
}
