use super::close::Close;
use super::connection::Connection;
use super::counters::Counters;
use super::limits::Limits;
use super::poller::{Events, Poller};
use super::schedule::Schedule;
use super::table::Table;
use crate::Result;
use crate::limited_log::LimitedLog;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Instant, fault};
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// What clients can cause to be logged, as often as they like.
pub(super) struct Warnings {
    pub(super) refused: LimitedLog,
    pub(super) foreign: LimitedLog,
    pub(super) trouble: LimitedLog,
}

impl Warnings {
    fn new() -> Warnings {
        Warnings {
            refused: LimitedLog::new("a connection is refused"),
            foreign: LimitedLog::new("a connection is closed that speaks another protocol"),
            trouble: LimitedLog::new("trouble with connections"),
        }
    }

    /// Logs what was left out, if it is time.
    pub(super) fn flush(&self) {
        [&self.refused, &self.foreign, &self.trouble].into_iter().for_each(LimitedLog::flush);
    }
}

/// Who is at the other end, if that is known: of some who are gone it is not.
pub(super) struct Peer(pub(super) Option<SocketAddr>);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(addr) => addr.fmt(f),
            None => f.write_str("an address that is gone"),
        }
    }
}

/// What the threads of a server share: the acceptor, the poller, the jobs, and whoever finishes a
/// write.
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) poller: Poller,
    pub(super) table: Table,
    pub(super) schedule: Schedule,
    pub(super) counters: Counters,
    pub(super) warnings: Warnings,
    /// Bytes in the buffers of all connections. Compared with a limit and nothing else: `Relaxed`.
    pub(super) buffered: AtomicUsize,
    /// Set once, never cleared. `Release` and `Acquire`: a connection that was woken because of it
    /// sees it.
    stopping: AtomicBool,
    /// How long the server has been there and not stopped by others, in milliseconds, as of the last
    /// sweep. Seeing it a sweep late does no harm: `Relaxed`.
    clock: AtomicU64,
    started: Instant,
}

impl Shared {
    pub(super) fn new(limits: Limits) -> Result<Shared> {
        Ok(Shared {
            poller: Poller::new()?,
            table: Table::default(),
            schedule: Schedule::new(limits.jobs.max(1)),
            counters: Counters::default(),
            warnings: Warnings::new(),
            buffered: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            clock: AtomicU64::new(0),
            started: Instant::now(),
            limits,
        })
    }

    /// Takes a new connection in, unless there are too many.
    pub(super) fn admit(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: Option<SocketAddr>,
    ) -> std::io::Result<()> {
        let connection = {
            let mut open = self.table.lock();
            if open.len() >= self.limits.connections {
                drop(open);
                self.refuse(&stream, peer, "too many connections; try again later");
                return Ok(());
            }
            let place = open.vacant_entry();
            let connection = Arc::new(Connection::new(Arc::clone(self), stream, place.key()));
            place.insert(Arc::clone(&connection));
            connection
        };
        self.counters.accepted.add(1);
        let watched = self.poller.watch(&connection.stream, connection.token);
        if watched.is_err() {
            self.close(&connection, Close::Refused);
        }
        watched
    }

    /// Says why a connection is closed that was never served. It is dropped by the caller.
    pub(super) fn refuse(&self, stream: &TcpStream, peer: Option<SocketAddr>, why: &str) {
        self.counters.refused.add(1);
        self.warnings.refused.warn(format_args!("{why}; from {}", Peer(peer)));
        // A new socket has room for a line. If not, it was nothing but a courtesy.
        let _ = (&*stream).write(format!("{{\"Err\":\"{why}\"}}\n").as_bytes());
    }

    /// Forgets a connection. It is closed when its last user lets go: a write may be under way.
    pub(super) fn close(&self, connection: &Connection, why: Close) {
        self.table.lock().try_remove(connection.token);
        log::debug!("connection {} is closed: {why}", connection.token);
    }

    /// Looks which connections are ready, waiting for at most `timeout` until one is, and queues
    /// them.
    pub(super) fn poll(&self, events: &mut Events, timeout: Duration) {
        let happened = match self.poller.wait(events, timeout) {
            Ok(happened) => happened,
            Err(error) => {
                self.warnings.trouble.warn(format_args!("cannot wait for them: {error}"));
                return;
            }
        };
        let open = self.table.lock();
        let noticed = happened.filter_map(|event| {
            let connection = open.get(event.token)?;
            connection.notice(event.hung_up).then(|| Arc::clone(connection))
        });
        self.schedule.extend(noticed);
    }

    /// Queues a connection that was woken by something else than its socket.
    pub(super) fn wake(&self, connection: Arc<Connection>) {
        if self.schedule.push(connection) && !fault!("who queues a connection rings no bell") {
            self.poller.ring();
        }
    }

    /// What deadlines are compared with, in milliseconds.
    pub(super) fn clock(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    pub(super) fn set_clock(&self, time: Duration) {
        self.clock.store(time.as_millis() as u64, Ordering::Relaxed);
    }

    pub(super) fn begin_stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.poller.ring();
        self.schedule.ring();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// What the server counts, one number a line.
    pub(super) fn stats_text(&self) -> String {
        let counters = &self.counters;
        let (jobs_now, ready) = self.schedule.depth();
        let mut text = String::new();
        let numbers: [(&str, &dyn std::fmt::Display); 15] = [
            ("uptime_ms", &self.started.elapsed().as_millis()),
            ("requests", &counters.requests),
            ("errors", &counters.errors),
            ("bytes_in", &counters.bytes_in),
            ("bytes_out", &counters.bytes_out),
            ("bytes_buffered", &self.buffered.load(Ordering::Relaxed)),
            ("connections", &self.table.len()),
            ("connections_accepted", &counters.accepted),
            ("connections_refused", &counters.refused),
            ("connections_timed_out", &counters.timed_out),
            ("jobs", &jobs_now),
            ("jobs_started", &counters.jobs),
            ("queue", &ready),
            ("turns", &counters.turns),
            ("max_request_bytes", &self.limits.request_bytes),
        ];
        for (name, number) in numbers {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name} {number}");
        }
        text
    }
}
