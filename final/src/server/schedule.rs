//! Who serves which connection, and who looks for the next one.
//!
//! Connections with something to do wait in one queue. The poller fills it and gives the pool a *job*,
//! which takes a connection from the queue, gives it a turn, takes the next one, and when
//! the queue is empty looks for more itself, for a moment: under load nobody has to wake anybody,
//! which would cost more than serving a request. (The pattern is known as leader and followers:
//! Schmidt and others, 1996.)
//!
//! The poller meanwhile sleeps. It comes back when the last job has found nothing and gone, when a job
//! asks for help because the queue is long, and when no job has looked for a millisecond, because
//! all of them are held up by something slow: then it looks itself, and gives the pool another job.
//!
//! There are never more jobs than a limit. When all of them are held up, nobody looks, and
//! what clients send stays in their sockets until they wait: that is the back-pressure.

use super::connection::Connection;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard, fault};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// The poller comes back when no job has looked for so long.
const TICK: Duration = Duration::from_millis(1);
/// As above, when a job is looking right now.
const CALM_TICK: Duration = Duration::from_millis(4);
/// A job asks for help when so many connections wait.
const HELP_AT: usize = 64;

pub(super) struct Schedule {
    /// Held for a push or a pop, never while a connection is served.
    state: Mutex<State>,
    /// Told when the last job ends, or one asks for help. Only the poller waits.
    changed: Condvar,
    /// How often jobs looked for ready connections, and how many do so right now. The poller compares
    /// the first with what it was a tick ago; seeing either late makes it look in vain, or a tick later:
    /// `Relaxed`.
    looks: AtomicU64,
    looking: AtomicUsize,
    max_jobs: usize,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Arc<Connection>>,
    /// Jobs that were given to the pool and have not ended.
    jobs: usize,
    /// Whether a job asks for another one.
    help: bool,
    /// Whether the pool had no thread for a job.
    refused: bool,
}

impl State {
    fn begin_job(&mut self, max_jobs: usize) -> bool {
        self.help = false;
        let begin = !self.ready.is_empty() && self.jobs < max_jobs;
        self.jobs += usize::from(begin);
        begin
    }
}

/// What the poller has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// Nothing, the jobs look after themselves.
    None,
    /// Look for ready connections; nobody else does.
    Look,
    /// Start a job; it is counted already.
    Start,
}

impl Schedule {
    pub(super) fn new(max_jobs: usize) -> Schedule {
        let (state, changed) = (Mutex::default(), Condvar::new());
        Schedule {
            state,
            changed,
            looks: AtomicU64::new(0),
            looking: AtomicUsize::new(0),
            max_jobs,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under this lock but an allocation.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a connection. Returns whether the queue was empty, so that perhaps nobody looks at it.
    pub(super) fn push(&self, connection: Arc<Connection>) -> bool {
        let mut state = self.state();
        state.ready.push_back(connection);
        state.ready.len() == 1
    }

    /// Queues those that a look has found. Asks for help if they are many.
    pub(super) fn extend(&self, connections: impl Iterator<Item = Arc<Connection>>) {
        let mut state = self.state();
        state.ready.extend(connections);
        if state.ready.len() > HELP_AT && state.jobs < self.max_jobs && !state.help {
            state.help = true;
            self.changed.notify_one();
        }
    }

    /// For a job: the next connection.
    pub(super) fn next(&self) -> Option<Arc<Connection>> {
        self.state().ready.pop_front()
    }

    /// For a job: looks for ready connections.
    pub(super) fn look(&self, look: impl FnOnce()) {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.looking.fetch_add(1, Ordering::Relaxed);
        look();
        self.looking.fetch_sub(1, Ordering::Relaxed);
    }

    /// For a job: it ends.
    pub(super) fn end_job(&self) {
        let mut state = self.state();
        // With as many as may be, the poller has gone to sleep for longer than a tick.
        let was_full = state.jobs == self.max_jobs;
        state.jobs -= 1;
        fault!("the last job tells nobody that it ends", return);
        if was_full || state.jobs == 0 || !state.ready.is_empty() {
            self.changed.notify_one();
        }
    }

    /// For the poller: waits until there is something to do for it, or until `timeout` has passed.
    pub(super) fn wait(&self, timeout: Duration) -> Duty {
        let mut state = self.state();
        let mut held_up = false;
        if state.jobs > 0 && !state.help {
            let looks = self.looks.load(Ordering::Relaxed);
            let time = match self.looking.load(Ordering::Relaxed) {
                _ if state.jobs >= self.max_jobs => timeout,
                0 => TICK.min(timeout),
                _ => CALM_TICK.min(timeout),
            };
            let wait = self.changed.wait_timeout(state, time);
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
            held_up = looks == self.looks.load(Ordering::Relaxed)
                && self.looking.load(Ordering::Relaxed) == 0;
        }
        if state.jobs > 0 && !state.help && !held_up {
            return Duty::None;
        }
        let nobody_looks = state.jobs == 0 || held_up;
        match state.begin_job(self.max_jobs) {
            true => Duty::Start,
            false if nobody_looks && state.jobs < self.max_jobs => Duty::Look,
            false => Duty::None,
        }
    }

    /// Wakes the poller, if it waits here.
    pub(super) fn ring(&self) {
        let _state = self.state();
        self.changed.notify_one();
    }

    /// For a job that the pool has no thread for.
    pub(super) fn note_refusal(&self) {
        self.state().refused = true;
    }

    /// For the poller: whether the pool has refused a job since it was asked last.
    pub(super) fn was_refused(&self) -> bool {
        std::mem::take(&mut self.state().refused)
    }

    /// For the poller: counts a job, if there is something to do for it and it may have one.
    pub(super) fn begin_job(&self) -> bool {
        self.state().begin_job(self.max_jobs)
    }

    /// Whether connections wait.
    pub(super) fn has_ready(&self) -> bool {
        !self.state().ready.is_empty()
    }

    /// How many jobs there are, and how many connections wait for one.
    pub(super) fn depth(&self) -> (usize, usize) {
        let state = self.state();
        (state.jobs, state.ready.len())
    }
}
