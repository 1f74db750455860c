//! The event loops of a server, and what its own thread does for all of them.

use super::connection::Connection;
use super::event_loop::EventLoop;
use super::limits::Limits;
use super::poller::Poller;
use super::shared::Shared;
use super::stats::{Counter, Counters};
use crate::Result;
use crate::sync::Instant;
use std::fmt::{Display, Write as _};
use std::sync::Arc;

/// What the threads of a server share, its own one and those of the event loops.
pub(super) struct LoopGroup {
    pub(super) shared: Arc<Shared>,
    pub(super) loops: Box<[Arc<EventLoop<Connection>>]>,
    /// The server's own thread waits here, for new connections and as the watchdog.
    pub(super) poller: Arc<Poller>,
    /// Connections that were taken in, and those that were not; and the loops that were begun.
    pub(super) accepted: Counter,
    pub(super) refused: Counter,
    pub(super) started_jobs: Counter,
    started: Instant,
}

impl LoopGroup {
    pub(super) fn new(limits: Limits) -> Result<LoopGroup> {
        let (shared, poller) = (Arc::new(Shared::new(limits)), Arc::new(Poller::new()?));
        let loops = shared.counters.iter().map(|_| Ok(Arc::new(EventLoop::new(&poller)?)));
        Ok(LoopGroup {
            loops: loops.collect::<Result<_>>()?,
            shared,
            poller,
            accepted: Counter::default(),
            refused: Counter::default(),
            started_jobs: Counter::default(),
            started: Instant::now(),
        })
    }

    pub(super) fn begin_stop(&self) {
        self.shared.begin_stop();
        self.poller.wake();
    }

    /// How many connections are open.
    pub(super) fn connections(&self) -> usize {
        self.loops.iter().map(|each| each.len()).sum()
    }

    /// What the server counts, one number a line.
    pub(super) fn stats_text(&self) -> String {
        let sum = |counter: fn(&Counters) -> &Counter| -> u64 {
            self.shared.counters.iter().map(|counters| counter(counters).get()).sum()
        };
        let states = self.loops.iter().map(|each| each.state());
        let (jobs, queue) = states.fold((0, 0), |(jobs, queue), (thread, ready)| {
            (jobs + usize::from(thread.runs()), queue + ready)
        });
        let numbers: [(&str, &dyn Display); 15] = [
            ("uptime_ms", &self.started.elapsed().as_millis()),
            ("requests", &sum(|counters| &counters.requests)),
            ("errors", &sum(|counters| &counters.errors)),
            ("bytes_in", &sum(|counters| &counters.bytes_in)),
            ("bytes_out", &sum(|counters| &counters.bytes_out)),
            ("bytes_buffered", &self.shared.buffered()),
            ("connections", &self.connections()),
            ("connections_accepted", &self.accepted),
            ("connections_refused", &self.refused),
            ("connections_timed_out", &sum(|counters| &counters.timed_out)),
            ("jobs", &jobs),
            ("jobs_started", &self.started_jobs),
            ("queue", &queue),
            ("turns", &sum(|counters| &counters.turns)),
            ("max_request_bytes", &self.shared.limits.request_bytes),
        ];
        let mut text = String::new();
        for (name, number) in numbers {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name} {number}");
        }
        text
    }
}
