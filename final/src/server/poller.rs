//! Readiness of many sockets at once: Linux's epoll, and a bell that wakes whoever waits in it.
//!
//! All sockets are watched *edge-triggered*: the kernel reports that bytes have come, once, and not
//! for as long as they lie there. So a connection that is being served need not be taken out and put
//! back, which would cost a system call each. The price is that whoever is told must remember
//! it until he has read everything (`connection.rs`).

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// How many events a look returns at most.
const EVENTS: usize = 256;
/// Stands for the bell, where other events have the token of a connection.
const BELL: u64 = u64::MAX;

/// What has happened to a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) token: usize,
    /// The client has ended its side, or the connection is broken: there is something to read, and
    /// no further event will tell of it.
    pub(super) hung_up: bool,
}

pub(super) struct Poller {
    epoll: OwnedFd,
    /// A counter in the kernel; each write to it is an event. Nobody reads it, for the same reason
    /// that nobody re-arms a socket.
    bell: OwnedFd,
}

/// Room for the events of one look; each thread that looks has its own.
pub(super) struct Events(Vec<epoll::Event>);

impl Events {
    pub(super) fn new() -> Events {
        Events(Vec::with_capacity(EVENTS))
    }
}

impl Poller {
    pub(super) fn new() -> io::Result<Poller> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &bell, epoll::EventData::new_u64(BELL), flags)?;
        Ok(Poller { epoll, bell })
    }

    /// Watches a connection for requests, until it is closed. What is there already is reported too.
    pub(super) fn watch(&self, stream: &TcpStream, token: usize) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, stream, epoll::EventData::new_u64(token as u64), INPUT)?)
    }

    /// Watches a connection for room for answers too, or no longer. Not done from the start,
    /// because every new connection has room, and would be reported for it.
    pub(super) fn watch_output(
        &self,
        stream: &TcpStream,
        token: usize,
        watch: bool,
    ) -> io::Result<()> {
        let flags = if watch { INPUT | epoll::EventFlags::OUT } else { INPUT };
        Ok(epoll::modify(&self.epoll, stream, epoll::EventData::new_u64(token as u64), flags)?)
    }

    /// Ends the wait of one thread that is in [`Poller::wait`], or of the next one.
    pub(super) fn ring(&self) {
        // It fails when the counter is full, after 2^64 rings.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// Waits until something happens, for at most `timeout`, rounded up to milliseconds. Several
    /// threads may wait at once; each event is reported to one of them.
    pub(super) fn wait<'a>(
        &self,
        events: &'a mut Events,
        timeout: Duration,
    ) -> io::Result<impl Iterator<Item = Event> + 'a> {
        let timeout = Timespec::try_from(timeout).ok();
        events.0.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut events.0), timeout.as_ref()) {
            // Interrupted by a signal: nothing has happened.
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let end = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        Ok(events.0.iter().filter(|event| event.data.u64() != BELL).map(move |event| {
            let flags = event.flags;
            Event { token: event.data.u64() as usize, hung_up: flags.intersects(end) }
        }))
    }
}

const INPUT: epoll::EventFlags =
    epoll::EventFlags::IN.union(epoll::EventFlags::RDHUP).union(epoll::EventFlags::ET);
