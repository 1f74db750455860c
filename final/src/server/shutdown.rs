//! How a server ends, and what it does every so often until then.

use super::shared::Shared;
use crate::sync::Instant;
use crate::sync::thread::JoinHandle;
use std::net::TcpListener;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long connections may take to end once the server stops.
const GRACE: Duration = Duration::from_secs(5);
/// How often connections are looked over for deadlines that have passed, at least.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// The same while the server stops: jobs that end are not told of.
const LAST_SWEEP_INTERVAL: Duration = Duration::from_millis(10);

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
    next_sweep: Instant,
    /// When the connections that are left are aborted.
    end: Option<Instant>,
}

impl Housekeeping<'_> {
    pub(super) fn new(shared: &Shared, acceptor: JoinHandle<()>) -> Housekeeping<'_> {
        Housekeeping { shared, acceptor: Some(acceptor), next_sweep: Instant::now(), end: None }
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
        self.end = Some(Instant::now() + GRACE);
        self.next_sweep = Instant::now();
    }

    fn sweep(&mut self, now: Instant) {
        let connections = self.shared.table.all();
        let abort_all = self.end.is_some_and(|end| now >= end);
        let time = self.shared.now();
        for connection in connections {
            if abort_all {
                connection.abort();
            } else if connection.is_expired(time) {
                connection.wake();
            }
        }
        let limits = &self.shared.limits;
        let times = [Some(limits.request_time), Some(limits.answer_time), limits.idle_time];
        let shortest = times.into_iter().flatten().min().unwrap_or(SWEEP_INTERVAL);
        let interval = (shortest / 4).clamp(Duration::from_millis(10), SWEEP_INTERVAL);
        self.next_sweep = now + if self.end.is_some() { LAST_SWEEP_INTERVAL } else { interval };
    }
}
