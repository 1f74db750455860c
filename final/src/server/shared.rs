use super::close::Close;
use super::connection::Connection;
use super::counters::Counters;
use super::limits::Limits;
use super::poller::{Events, Poller};
use super::schedule::Schedule;
use super::table::Table;
use crate::Result;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Instant, fault};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// What the threads of a server share: the acceptor, the poller, the jobs, and whoever finishes a
/// write.
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) poller: Poller,
    pub(super) table: Table,
    pub(super) schedule: Schedule,
    pub(super) counters: Counters,
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
            buffered: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            clock: AtomicU64::new(0),
            started: Instant::now(),
            limits,
        })
    }

    /// Takes a new connection in, unless there are too many.
    pub(super) fn admit(self: &Arc<Self>, stream: TcpStream) -> std::io::Result<()> {
        let connection = {
            let mut open = self.table.lock();
            if open.len() >= self.limits.connections {
                drop(open);
                self.refuse(&stream, "too many connections; try again later");
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
    pub(super) fn refuse(&self, stream: &TcpStream, why: &str) {
        self.counters.refused.add(1);
        log::debug!("a connection is refused: {why}");
        // A new socket has room for a line. If not, it was nothing but a courtesy.
        let _ = (&*stream).write(format!("{{\"Err\":\"{why}\"}}\n").as_bytes());
    }

    /// Forgets a connection. It is closed when its last user lets go: a write may be under way.
    pub(super) fn close(&self, connection: &Connection, why: Close) {
        log::debug!("connection {} is closed: {why}", connection.token);
        self.table.lock().try_remove(connection.token);
    }

    /// Looks which connections are ready, waiting for at most `timeout` until one is, and queues
    /// them.
    pub(super) fn poll(&self, events: &mut Events, timeout: Duration) {
        let happened = match self.poller.wait(events, timeout) {
            Ok(happened) => happened,
            Err(error) => {
                log::error!("cannot wait for connections: {error}");
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
