//! A connection, as all threads see it: what they may do to it at any moment, and what its turns (`turn.rs`) hand
//! on to each other.

use super::event_loop::{EventLoop, Served};
use super::io::Output;
use super::notes::{ABORTED, HUNG_UP, Notes, READY};
use super::poller::Event;
use super::requests::Input;
use super::shared::Shared;
use super::state::{Close, State, Turn};
use super::writes::{Outcome, Waiter, Writer, Writes};
use crate::protocol::KEPT_BUFFER;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::{KvsError, Write};
use mio::net::TcpStream;
use std::net;
use std::sync::{Arc, PoisonError};

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) token: usize,
    /// The loop that it belongs to, and the number of that.
    pub(super) home: Arc<EventLoop<Connection>>,
    number: usize,
    pub(super) shared: Arc<Shared>,
    pub(super) notes: Notes,
    /// From when on a sweep wakes it, in [`Shared::clock`]'s milliseconds. Seeing it a sweep late does no
    /// harm: `Relaxed`.
    look_at: AtomicU64,
    /// Locked while a thread works on a turn, not while the turn is paused. That there's only one turn at a time is up
    /// to `notes`.
    inner: Mutex<Inner>,
    /// Locked for a look. Results are written by the threads that finish writes.
    pub(super) writes: Mutex<Writes>,
}

/// What the turns of a connection hand on to the next.
pub(super) struct Inner {
    pub(super) state: State,
    pub(super) input: Input,
    pub(super) output: Output,
    /// The last answer, to be sent after those to the writes under way.
    pub(super) farewell: Option<Box<KvsError>>,
    /// Whether the first request that is left waits until no write is under way.
    pub(super) waits_for_all: bool,
    /// Whether there are requests that were begun and are not answered: writes, and gets where the engine's wait.
    pub(super) has_writes: bool,
    /// Bytes that are counted among the buffers of its loop. The counter is told of the difference only, because
    /// several connections share it.
    counted: usize,
    /// Whether writes were begun that it has not seen the end of: what they find is counted when they are done.
    pub(super) counts_writes: bool,
}

// An idle client costs little more than this: with the counts of its `Arc` it's in a block of 256 bytes. (In a debug
// build mio has more in a socket.)
#[cfg(all(target_os = "linux", target_pointer_width = "64", not(any(loom, debug_assertions))))]
const _: () = assert!(size_of::<Connection>() <= 232);

/// A write, and what tells the connection of its end.
pub(super) type Begun = (Write, Waiter<Connection>);

/// A turn that waits for its writes.
pub(super) struct Paused {
    pub(super) connection: Arc<Connection>,
    pub(super) writes: std::vec::IntoIter<Begun>,
    pub(super) turn: Turn,
    /// What came before the writes.
    pub(super) answers: Vec<u8>,
    pub(super) errors: u64,
}

impl Iterator for Paused {
    type Item = Begun;

    fn next(&mut self) -> Option<Begun> {
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
    /// Values that come from another machine are counted at once: many may come before the next turn.
    fn finish_write(self: &Arc<Self>, number: u64, mut result: Outcome) {
        let mut writes = self.writes();
        let excess = writes.excess(number, &result);
        if excess > KEPT_BUFFER
            && self.shared.buffered() + excess > self.shared.limits.buffered_bytes
        {
            let no_memory = "the server has no memory for the answer now";
            result = Err(KvsError::Server(no_memory.to_owned()));
        } else {
            self.shared.counters[self.number].rebuffer(0, excess);
        }
        let wanted = writes.finish(number, result);
        drop(writes);
        if wanted {
            self.wake(false);
        }
    }

    fn abort(self: &Arc<Self>) {
        Connection::abort(self);
    }
}

impl Connection {
    pub(super) fn new(
        shared: &Arc<Shared>,
        (home, number): (&Arc<EventLoop<Connection>>, usize),
        stream: TcpStream,
        token: usize,
    ) -> Connection {
        let state = State::new(shared.time());
        Connection {
            stream,
            token,
            home: Arc::clone(home),
            number,
            shared: Arc::clone(shared),
            notes: Notes::default(),
            look_at: AtomicU64::new(state.look_at(shared.time())),
            inner: Mutex::new(Inner {
                state,
                input: Input::new(&shared.limits),
                output: Output::default(),
                farewell: None,
                waits_for_all: false,
                has_writes: false,
                counted: 0,
                counts_writes: false,
            }),
            writes: Mutex::default(),
        }
    }

    // ---- any thread ----------------------------------------------------------------------------

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

    pub(super) fn writes(&self) -> MutexGuard<'_, Writes> {
        // Nothing that can panic runs under this lock but an allocation.
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- the thread that gives it a turn -------------------------------------------------------

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        // After a panic it is closed, and looked at only to count its buffers.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn has come to its end: says when a sweep has to wake it.
    pub(super) fn set_look(&self, inner: &Inner) {
        self.look_at.store(inner.state.look_at(self.shared.time()), Ordering::Relaxed);
    }

    /// Closes it. While writes are under way they hold the socket, so the client is told at once.
    pub(super) fn close(&self, why: Close) {
        if self.writes().size().0 > 0 {
            let _ = self.stream.shutdown(net::Shutdown::Both);
        }
        self.home.forget(self.token);
        log::debug!("connection {}.{} is closed: {why}", self.number, self.token);
    }

    /// Closes it if `work` panics.
    pub(super) fn close_on_panic<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Guard<'a>(&'a Connection);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                self.0.close(Close::Panic);
            }
        }
        let guard = Guard(self);
        let result = work();
        std::mem::forget(guard);
        result
    }

    /// Whether its buffers are more than there is memory for.
    pub(super) fn has_too_much(&self, inner: &Inner) -> bool {
        let own = inner.input.len() + inner.output.len();
        let others = || self.shared.buffered().saturating_sub(inner.counted);
        own > KEPT_BUFFER && others() + own > self.shared.limits.buffered_bytes
    }

    pub(super) fn count_buffers(&self, inner: &mut Inner) {
        let mut count = inner.input.len() + inner.output.len();
        if inner.counts_writes {
            let mut writes = self.writes();
            let (number, bytes) = writes.size();
            inner.counted += writes.take_arrived();
            inner.counts_writes = number > 0;
            count += bytes;
        }
        self.shared.counters[self.number].rebuffer(inner.counted, count);
        inner.counted = count;
    }
}

impl Inner {
    /// Ends it with an error in place of what is left of the input.
    pub(super) fn give_up(&mut self, why: Close, message: String) {
        self.state.give_up(why);
        self.farewell = Some(Box::new(KvsError::Server(message)));
        self.input.clear();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        let writes = self.writes.get_mut().unwrap_or_else(PoisonError::into_inner);
        let counted = inner.counted + writes.take_arrived();
        self.shared.counters[self.number].rebuffer(counted, 0);
    }
}
