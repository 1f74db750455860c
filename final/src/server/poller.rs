//! Readiness of many sockets, which one thread waits for at a time, and a waker for that thread.
//!
//! Sockets are watched *edge-triggered*: the system reports once that bytes have come, not for as long as they
//! are there. So a connection that is being served need not be taken out and put back, which would cost
//! a system call each. The price is that a connection remembers that it is readable until it has read
//! everything (`state.rs`).

use crate::sync::{Mutex, MutexGuard, fault};
use mio::event::Source;
use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Interest, Poll, Registry, Token, Waker};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::PoisonError;
use std::time::Duration;

/// How many events a look returns at most.
const EVENTS: usize = 256;
const WAKER: Token = Token(usize::MAX);
/// Not for room from the start: every new connection has room, and would be reported for it.
const INTEREST: Interest = Interest::READABLE;

/// What has happened to a socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) token: usize,
    /// There are bytes to read, or an error.
    pub(super) readable: bool,
    /// The client has ended its side, or the connection is broken: there is something to read, and
    /// no further event will tell of it.
    pub(super) hung_up: bool,
}

pub(super) struct Poller {
    /// Held by the thread that waits, for as long as it waits: by the loop that the poller belongs to, and while
    /// that is stalled by the watchdog, for a look.
    poll: Mutex<(Poll, mio::Events)>,
    registry: Registry,
    waker: Waker,
    fd: RawFd,
}

impl Poller {
    pub(super) fn new() -> io::Result<Poller> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = Waker::new(&registry, WAKER)?;
        Ok(Poller {
            registry,
            waker,
            fd: poll.as_raw_fd(),
            poll: Mutex::new((poll, mio::Events::with_capacity(EVENTS))),
        })
    }

    /// Watches a socket for bytes until it is closed. What is there already is reported too.
    pub(super) fn watch(&self, socket: &mut impl Source, token: usize) -> io::Result<()> {
        self.registry.register(socket, Token(token), INTEREST)
    }

    /// Watches a connection for room for answers too, or no longer.
    pub(super) fn watch_output(
        &self,
        socket: &TcpStream,
        token: usize,
        on: bool,
    ) -> io::Result<()> {
        let interest = if on { INTEREST | Interest::WRITABLE } else { INTEREST };
        self.registry.reregister(&mut SourceFd(&socket.as_raw_fd()), Token(token), interest)
    }

    /// Ends the wait of the thread that waits, or of the next one.
    pub(super) fn wake(&self) {
        // It fails when the system has no memory for it: then the next event ends the wait.
        let _ = self.waker.wake();
    }

    /// Waits until something happens, for at most `timeout`, rounded up to milliseconds. Returns what has happened,
    /// and whether there may be more.
    pub(super) fn wait(
        &self,
        timeout: Option<Duration>,
        happened: impl FnMut(Event),
    ) -> io::Result<bool> {
        wait(self.poll.lock().unwrap_or_else(PoisonError::into_inner), timeout, happened)
    }

    /// Looks what has happened, unless a thread waits for it.
    pub(super) fn look(&self, happened: impl FnMut(Event)) -> io::Result<bool> {
        match self.poll.try_lock() {
            Ok(poll) => wait(poll, Some(Duration::ZERO), happened),
            Err(_) => Ok(false),
        }
    }

    /// Ends its wait also when something happens that `other` would report. Returns whether the system
    /// had room for that; if not, the caller has to look every so often.
    pub(super) fn follow(&self, other: &Poller) -> bool {
        self.registry.register(&mut SourceFd(&other.fd), WAKER, INTEREST).is_ok()
    }

    /// Ends [`Poller::follow`].
    pub(super) fn unfollow(&self, other: &Poller) {
        // It fails if it was not followed.
        let _ = self.registry.deregister(&mut SourceFd(&other.fd));
    }
}

fn wait(
    mut poll: MutexGuard<'_, (Poll, mio::Events)>,
    timeout: Option<Duration>,
    mut happened: impl FnMut(Event),
) -> io::Result<bool> {
    if fault!("the system refuses to wait") {
        return Err(ErrorKind::Unsupported.into());
    }
    let (poll, events) = &mut *poll;
    match poll.poll(events, timeout) {
        // Interrupted by a signal: nothing has happened.
        Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(false),
        result => result?,
    }
    let mut count = 0;
    for event in events.iter() {
        count += 1;
        if event.token() != WAKER {
            let hung_up = event.is_read_closed() || event.is_error();
            let readable = event.is_readable() || hung_up;
            happened(Event { token: event.token().0, readable, hung_up });
        }
    }
    Ok(count == EVENTS)
}
