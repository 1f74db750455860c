//! Stands for a connection: a client that sends requests, each of which is a write, and takes answers.
//! A turn does what one in `final/src/server/turn.rs` does, in its order, without the bytes.

use super::event_loop::{EventLoop, Served};
use super::notes::{ABORTED, Notes, READY};
use super::poller::Event;
use super::stats::Counters;
use super::timeouts::NEVER;
use super::writes::{Outcome, Waiter, Writer, Writes};
use crate::models::model::WANTED;
use crate::sync::{Condvar, Instant, Mutex};
use crate::{KvsEngine, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::vec;

/// What its first request does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Writes,
    Panics,
    /// When its write is done.
    PanicsLater,
    /// It waits until a client has its answer.
    Blocks,
}

pub(super) struct Connection {
    kind: Kind,
    token: usize,
    home: Arc<EventLoop<Connection>>,
    notes: Notes,
    /// The standard library's, so that loom does not take it for an order between two turns.
    has_turn: AtomicBool,
    /// Requests in the socket, sent and not received.
    socket: Mutex<usize>,
    writes: Mutex<Writes>,
    pub(super) answers: Count,
    pub(super) release: Count,
}

/// A number that a thread can wait for.
#[derive(Default)]
pub(super) struct Count(Mutex<usize>, Condvar);

impl Count {
    pub(super) fn add(&self) {
        *self.0.lock().unwrap() += 1;
        self.1.notify_one();
    }

    pub(super) fn wait_for(&self, number: usize) {
        drop(self.1.wait_while(self.0.lock().unwrap(), |count| *count < number));
    }
}

pub(super) struct Context<'a, E> {
    pub(super) engine: &'a E,
    pub(super) event_loop: &'a EventLoop<Connection>,
}

impl<'a, E> Context<'a, E> {
    pub(super) fn new(
        engine: &'a E,
        event_loop: &'a EventLoop<Connection>,
        _: &Counters,
        _: &dyn Fn() -> String,
    ) -> Context<'a, E> {
        Context { engine, event_loop }
    }
}

pub(super) struct Paused {
    connection: Arc<Connection>,
    writes: vec::IntoIter<(Write, Waiter<Connection>)>,
}

impl Iterator for Paused {
    type Item = (Write, Waiter<Connection>);

    fn next(&mut self) -> Option<Self::Item> {
        self.writes.next()
    }
}

impl Served for Connection {
    type Paused = Paused;

    fn notice(&self, _: Event) -> bool {
        self.notes.leave(READY)
    }
}

impl Writer for Connection {
    fn finish_write(self: &Arc<Self>, number: u64, result: Outcome) {
        let wanted = self.writes.lock().unwrap().finish(number, result);
        if wanted {
            self.wake(false);
        }
    }

    fn abort(self: &Arc<Self>) {
        Connection::abort(self);
    }
}

impl Connection {
    /// A connection that belongs to `home`.
    pub(super) fn new(kind: Kind, token: usize, home: &Arc<EventLoop<Connection>>) -> Connection {
        let (home, (notes, has_turn)) = (Arc::clone(home), Default::default());
        let (socket, writes, answers, release) = Default::default();
        Connection { kind, token, home, notes, has_turn, socket, writes, answers, release }
    }

    pub(super) fn wake(self: &Arc<Self>, to_read: bool) {
        if self.notes.leave(if to_read { READY } else { 0 }) {
            self.home.push(Arc::clone(self));
        }
    }

    pub(super) fn abort(self: &Arc<Self>) {
        if self.notes.leave(ABORTED) {
            self.home.push(Arc::clone(self));
        }
    }

    pub(super) fn wants_look(&self, clock: u64) -> bool {
        clock == NEVER
    }

    pub(super) fn turn<E: KvsEngine>(
        self: &Arc<Self>,
        context: &mut Context<'_, E>,
        _: Instant,
    ) -> Option<Paused> {
        assert!(!self.has_turn.swap(true, Ordering::Relaxed), "two turns at a time");
        let note = self.notes.begin_turn();
        if note & ABORTED != 0 {
            self.home.forget(self.token);
            return None;
        }
        let requests = match note & READY {
            0 => 0,
            _ => std::mem::take(&mut *self.socket.lock().unwrap()),
        };
        if requests > 0 && self.kind == Kind::Panics {
            self.home.forget(self.token);
            std::panic::panic_any(WANTED);
        }
        if requests > 0 && self.kind == Kind::Blocks {
            self.release.wait_for(1);
        }
        if requests == 0 {
            self.end(context);
            return None;
        }
        let write = |_| {
            let write = Write::Remove { key: String::new() };
            (write, Waiter::new(self, self.writes.lock().unwrap().begin(1)))
        };
        let writes: Vec<_> = (0..requests).map(write).collect();
        Some(Paused { connection: Arc::clone(self), writes: writes.into_iter() })
    }

    pub(super) fn finish<E>(paused: Paused, context: &mut Context<'_, E>) {
        if paused.connection.kind == Kind::PanicsLater {
            paused.connection.hang_up();
            std::panic::panic_any(WANTED);
        }
        paused.connection.end(context);
    }

    /// Sends the answers to the writes that are done, as far as all before them are, and leaves.
    fn end<E>(self: &Arc<Self>, context: &mut Context<'_, E>) {
        while let Some(result) = { self.writes.lock().unwrap().take() } {
            assert!(result.is_ok());
            self.answers.add();
        }
        // Meanwhile another write may be done.
        let again = self.writes.lock().unwrap().want();
        self.has_turn.store(false, Ordering::Relaxed);
        if again || !self.notes.end_turn() {
            context.event_loop.push(Arc::clone(self));
        }
    }

    /// The client leaves, which the server does not see in a turn.
    pub(super) fn hang_up(&self) {
        self.home.forget(self.token);
    }

    /// The client sends a request.
    pub(super) fn send(&self) {
        *self.socket.lock().unwrap() += 1;
        self.home.poller().happen(self.token);
    }
}
