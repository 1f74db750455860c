//! Stands for a connection: a client that sends requests, each of which is a write, and takes answers.
//! A turn does what one in `final/src/server/turn.rs` does, in its order, without the bytes.

use super::event_loop::{EventLoop, Served};
use super::notes::{ABORTED, Notes, READY};
use super::poller::Event;
use super::stats::Counters;
use super::timeouts::NEVER;
use super::writes::{Outcome, Waiter, Writer, Writes};
use crate::models::model::WANTED;
use crate::sync::{Condvar, Instant, Mutex, MutexGuard};
use crate::{KvsEngine, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::vec;

/// What its first request does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::models::server) enum Kind {
    Writes,
    Panics,
    /// When its write is done.
    PanicsLater,
    /// It waits until a client has its answer.
    Blocks,
}

pub(in crate::models::server) struct Connection {
    kind: Kind,
    token: usize,
    home: Arc<EventLoop<Connection>>,
    notes: Notes,
    /// The standard library's, so that loom does not take it for an order between two turns.
    has_turn: AtomicBool,
    /// Requests in the socket, sent and not received.
    socket: Mutex<usize>,
    writes: Mutex<Writes>,
    pub(in crate::models::server) answers: Count,
    pub(in crate::models::server) release: Count,
}

/// A number that a thread can wait for.
#[derive(Default)]
pub(in crate::models::server) struct Count(Mutex<usize>, Condvar);

impl Count {
    pub(in crate::models::server) fn add(&self) {
        *lock(&self.0) += 1;
        self.1.notify_one();
    }

    pub(in crate::models::server) fn wait_for(&self, number: usize) {
        drop(self.1.wait_while(lock(&self.0), |count| *count < number));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(in crate::models::server) struct Context<'a, E> {
    pub(in crate::models::server) engine: &'a E,
    pub(in crate::models::server) event_loop: &'a EventLoop<Connection>,
}

impl<'a, E> Context<'a, E> {
    pub(in crate::models::server) fn new(
        engine: &'a E,
        event_loop: &'a EventLoop<Connection>,
        _: &Counters,
        _: &dyn Fn() -> String,
    ) -> Context<'a, E> {
        Context { engine, event_loop }
    }
}

pub(in crate::models::server) struct Paused {
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
        let wanted = lock(&self.writes).finish(number, result);
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
    pub(in crate::models::server) fn new(
        kind: Kind,
        token: usize,
        home: &Arc<EventLoop<Connection>>,
    ) -> Connection {
        Connection {
            kind,
            token,
            home: Arc::clone(home),
            notes: Notes::default(),
            has_turn: AtomicBool::new(false),
            socket: Mutex::default(),
            writes: Mutex::default(),
            answers: Count::default(),
            release: Count::default(),
        }
    }

    pub(in crate::models::server) fn wake(self: &Arc<Self>, to_read: bool) {
        if self.notes.leave(if to_read { READY } else { 0 }) {
            self.home.push(Arc::clone(self));
        }
    }

    pub(in crate::models::server) fn abort(self: &Arc<Self>) {
        if self.notes.leave(ABORTED) {
            self.home.push(Arc::clone(self));
        }
    }

    pub(in crate::models::server) fn wants_look(&self, clock: u64) -> bool {
        clock == NEVER
    }

    pub(in crate::models::server) fn turn<E: KvsEngine>(
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
        let requests = if note & READY != 0 { std::mem::take(&mut *lock(&self.socket)) } else { 0 };
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
            (write, Waiter::new(self, lock(&self.writes).begin(1)))
        };
        let writes: Vec<_> = (0..requests).map(write).collect();
        Some(Paused { connection: Arc::clone(self), writes: writes.into_iter() })
    }

    pub(in crate::models::server) fn finish<E>(paused: Paused, context: &mut Context<'_, E>) {
        if paused.connection.kind == Kind::PanicsLater {
            paused.connection.hang_up();
            std::panic::panic_any(WANTED);
        }
        paused.connection.end(context);
    }

    /// Sends the answers to the writes that are done, as far as all before them are, and leaves.
    fn end<E>(self: &Arc<Self>, context: &mut Context<'_, E>) {
        while let Some(result) = { lock(&self.writes).take() } {
            assert!(result.is_ok());
            self.answers.add();
        }
        // Meanwhile another write may be done.
        let again = lock(&self.writes).want();
        self.has_turn.store(false, Ordering::Relaxed);
        if again || !self.notes.end_turn() {
            context.event_loop.push(Arc::clone(self));
        }
    }

    /// The client leaves, which the server does not see in a turn.
    pub(in crate::models::server) fn hang_up(&self) {
        self.home.forget(self.token);
    }

    /// The client sends a request.
    pub(in crate::models::server) fn send(&self) {
        *lock(&self.socket) += 1;
        self.home.poller().happen(self.token);
    }
}
