//! How a server ends, and what it does every so often until then.

use super::shared::Shared;
use crate::sync::Instant;
use crate::sync::thread::JoinHandle;
use std::net::TcpListener;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long connections may take to end once the server stops.
const GRACE: Duration = Duration::from_secs(5);
/// How often connections are looked over while the server stops: jobs that end are not told of.
const LAST_SWEEP_INTERVAL: Duration = Duration::from_millis(10);
/// A sweep that is late by less than this is not.
const TOLERANCE: Duration = Duration::from_millis(50);

/// Stops a server. Clones stop the same server.
#[derive(Clone)]
pub struct ServerHandle {
    shared: Arc<Shared>,
    /// Not kept open: who has a handle of a server that has ended does not hold its address.
    listener: Weak<TcpListener>,
}

impl ServerHandle {
    pub(super) fn new(shared: &Arc<Shared>, listener: &Arc<TcpListener>) -> ServerHandle {
        ServerHandle { shared: Arc::clone(shared), listener: Arc::downgrade(listener) }
    }

    /// Tells the server to stop; its `run` returns when it has. Does not wait for that.
    pub fn shutdown(&self) {
        self.shared.begin_stop();
        if let Some(listener) = self.listener.upgrade() {
            // Whoever waits in `accept` wakes up with an error. It fails if it was done before.
            let _ = rustix::net::shutdown(&*listener, rustix::net::Shutdown::Both);
        }
    }
}

/// What else the poller's thread does: it sweeps the connections for deadlines, and sees to the end.
pub(super) struct Housekeeping<'a> {
    shared: &'a Shared,
    acceptor: Option<JoinHandle<()>>,
    last_sweep: Instant,
    next_sweep: Instant,
    /// How long the server has been there, as its clock has it.
    awake: Duration,
    /// When the connections that are left are aborted, by that clock.
    end: Option<Duration>,
}

impl Housekeeping<'_> {
    pub(super) fn new(shared: &Shared, acceptor: JoinHandle<()>) -> Housekeeping<'_> {
        let (acceptor, now) = (Some(acceptor), Instant::now());
        let (awake, end) = (Duration::ZERO, None);
        Housekeeping { shared, acceptor, last_sweep: now, next_sweep: now, awake, end }
    }

    /// Does what is due. Returns how long it can wait for the next call, or none when the server
    /// has stopped.
    pub(super) fn tick(&mut self) -> Option<Duration> {
        if self.shared.is_stopping() {
            if let Some(acceptor) = self.acceptor.take() {
                self.begin_end(acceptor);
            }
            if self.shared.table.len() == 0 && self.shared.schedule.depth() == (0, 0) {
                return None;
            }
        }
        let now = Instant::now();
        if now >= self.next_sweep {
            self.sweep(now);
        }
        Some(self.next_sweep - now)
    }

    /// How long it can wait now, after a part of the time has passed. The bell that rings for the end
    /// may have woken a job instead.
    pub(super) fn shorten(&self, timeout: Duration) -> Duration {
        if self.shared.is_stopping() { timeout.min(LAST_SWEEP_INTERVAL) } else { timeout }
    }

    fn begin_end(&mut self, acceptor: JoinHandle<()>) {
        // An error would be a panic, which the hook has reported.
        let _ = acceptor.join();
        // All that were accepted are in the table now.
        for connection in self.shared.table.all() {
            connection.wake_to_read();
        }
        self.end = Some(self.awake + GRACE);
        self.next_sweep = Instant::now();
    }

    fn sweep(&mut self, now: Instant) {
        let interval = match self.end {
            Some(_) => LAST_SWEEP_INTERVAL,
            None => self.shared.limits.sweep_interval(),
        };
        // One that is much too late does not count for more than two: the process was stopped.
        let longest = (2 * interval).max(TOLERANCE);
        self.awake += now.duration_since(self.last_sweep).min(longest);
        self.shared.set_clock(self.awake);
        self.shared.warnings.flush();
        let connections = self.shared.table.all();
        let abort_all = self.end.is_some_and(|end| self.awake >= end);
        let clock = self.shared.clock();
        for connection in connections {
            if abort_all {
                connection.abort();
            } else if connection.wants_look(clock) {
                connection.wake();
            }
        }
        (self.last_sweep, self.next_sweep) = (now, now + interval);
    }
}
