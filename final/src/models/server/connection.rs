//! Stands for a connection: a client that sends requests, each of which is a write, and takes answers.
//! A turn does what one in `final/src/server/connection.rs` does, in its order, without the bytes.

use super::close::Close;
use super::notes::{ABORTED, Notes, READY};
use super::poller::Event;
use super::shared::Shared;
use super::writes::Writes;
use crate::KvsEngine;
use crate::models::model::WANTED;
use crate::sync::{Condvar, Instant, Mutex, MutexGuard};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

pub(super) struct Connection {
    pub(super) stream: (),
    pub(super) token: usize,
    shared: Arc<Shared>,
    notes: Notes,
    /// The standard library's, so that loom does not take it for an order between two turns.
    has_turn: AtomicBool,
    /// Requests in the socket, sent and not received.
    socket: Mutex<usize>,
    writes: Mutex<Writes>,
    /// Writes that the engine has, by their numbers.
    begun: Mutex<Vec<u64>>,
    was_begun: Condvar,
    answers: Mutex<usize>,
    was_answered: Condvar,
    /// Its first request panics.
    panics: bool,
}

pub(super) struct Scratch;

impl Scratch {
    pub(super) fn new() -> Scratch {
        Scratch
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    pub(super) fn new(_: Arc<Shared>, _: TcpStream, _: usize) -> Connection {
        unreachable!("a model has no sockets")
    }

    /// A connection of the server's.
    pub(super) fn open(shared: &Arc<Shared>, panics: bool) -> Arc<Connection> {
        let mut open = shared.table.lock();
        let place = open.vacant_entry();
        let connection = Arc::new(Connection {
            stream: (),
            token: place.key(),
            shared: Arc::clone(shared),
            notes: Notes::default(),
            has_turn: AtomicBool::new(false),
            socket: Mutex::default(),
            writes: Mutex::default(),
            begun: Mutex::default(),
            was_begun: Condvar::new(),
            answers: Mutex::default(),
            was_answered: Condvar::new(),
            panics,
        });
        place.insert(Arc::clone(&connection));
        connection
    }

    pub(super) fn notice(&self, hung_up: bool) -> bool {
        assert!(!hung_up);
        self.notes.leave(READY)
    }

    fn wake(self: &Arc<Self>) {
        if self.notes.leave(0) {
            self.shared.wake(Arc::clone(self));
        }
    }

    pub(super) fn refuse(self: &Arc<Self>, _: &str) {
        unreachable!("in a model every job gets a thread")
    }

    pub(super) fn turn<E: KvsEngine>(self: &Arc<Self>, _: &E, _: &mut Scratch, _: Instant) {
        assert!(!self.has_turn.swap(true, Ordering::Relaxed), "two turns at a time");
        let note = self.notes.begin_turn();
        assert!(note & ABORTED == 0);
        self.collect();
        if note & READY != 0 {
            let requests = std::mem::take(&mut *lock(&self.socket));
            let close_on_panic = CloseOnPanic(self);
            if self.panics && requests > 0 {
                std::panic::panic_any(WANTED);
            }
            std::mem::forget(close_on_panic);
            for _ in 0..requests {
                let number = lock(&self.writes).begin(1);
                lock(&self.begun).push(number);
                self.was_begun.notify_one();
            }
        }
        let again = lock(&self.writes).want();
        self.has_turn.store(false, Ordering::Relaxed);
        if again || !self.notes.end_turn() {
            self.shared.schedule.push(Arc::clone(self));
        }
    }

    /// Sends the answers to the writes that are done, as far as all before them are.
    fn collect(&self) {
        let mut writes = lock(&self.writes);
        while let Some(result) = writes.take() {
            assert!(result.is_ok());
            *lock(&self.answers) += 1;
            self.was_answered.notify_one();
        }
    }

    /// The client sends a request.
    pub(super) fn send(&self) {
        *lock(&self.socket) += 1;
        self.shared.poller.happen(Event { token: self.token, hung_up: false });
    }

    /// The engine does a write, as soon as there is one, and says so.
    pub(super) fn finish_write(self: &Arc<Self>) {
        let none = |begun: &mut Vec<u64>| begun.is_empty();
        let begun = self.was_begun.wait_while(lock(&self.begun), none);
        let number = begun.unwrap_or_else(PoisonError::into_inner).remove(0);
        let wake = lock(&self.writes).finish(number, Ok(()));
        if wake {
            self.wake();
        }
    }

    /// The client waits for so many answers.
    pub(super) fn take_answers(&self, number: usize) {
        let fewer = |answers: &mut usize| *answers < number;
        drop(self.was_answered.wait_while(lock(&self.answers), fewer));
    }

    pub(super) fn is_open(&self) -> bool {
        self.shared.table.lock().contains(self.token)
    }
}

struct CloseOnPanic<'a>(&'a Connection);

impl Drop for CloseOnPanic<'_> {
    fn drop(&mut self) {
        self.0.shared.close(self.0, Close::Panic);
    }
}
