//! Stands for epoll and its bell.

use crate::sync::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::io;
use std::sync::PoisonError;
use std::time::Duration;

/// Who waits for longer is the poller; a job's look may last so long.
const LONGEST_LOOK: Duration = Duration::from_millis(10);

pub(super) struct Event {
    pub(super) token: usize,
    pub(super) hung_up: bool,
}

pub(super) struct Events(Vec<Event>);

impl Events {
    pub(super) fn new() -> Events {
        Events(Vec::new())
    }
}

pub(super) struct Poller {
    happened: Mutex<Happened>,
    changed: Condvar,
}

#[derive(Default)]
struct Happened {
    events: VecDeque<Event>,
    /// The bell has rung, and nobody has looked since.
    rung: bool,
    ended: bool,
}

impl Poller {
    pub(super) fn new() -> io::Result<Poller> {
        Ok(Poller { happened: Mutex::default(), changed: Condvar::new() })
    }

    fn happened(&self) -> MutexGuard<'_, Happened> {
        self.happened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watch<T>(&self, _: &T, _: usize) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn ring(&self) {
        self.happened().rung = true;
        self.changed.notify_one();
    }

    /// Each event goes to one of those who look, and so does the bell. The poller waits for it. A job
    /// does not: what comes while it would wait might as well come before it looks, or after.
    pub(super) fn wait<'a>(
        &self,
        events: &'a mut Events,
        timeout: Duration,
    ) -> io::Result<impl Iterator<Item = Event> + 'a> {
        let mut happened = self.happened();
        if timeout > LONGEST_LOOK {
            let wait = |h: &mut Happened| h.events.is_empty() && !h.rung && !h.ended;
            happened =
                self.changed.wait_while(happened, wait).unwrap_or_else(PoisonError::into_inner);
        }
        happened.rung = false;
        events.0 = happened.events.drain(..).collect();
        Ok(events.0.drain(..))
    }

    /// Something has come for a connection.
    pub(super) fn happen(&self, event: Event) {
        self.happened().events.push_back(event);
        self.changed.notify_one();
    }

    /// Ends the model: from now on the poller does not wait.
    pub(super) fn end(&self) {
        self.happened().ended = true;
        self.changed.notify_one();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.happened().ended
    }
}
