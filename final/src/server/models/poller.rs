//! Stands for readiness and its waker.

use crate::sync::{Condvar, Mutex};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Event {
    pub(super) token: usize,
}

pub(super) struct Poller(Arc<Inner>);

struct Inner {
    happened: Mutex<Happened>,
    changed: Condvar,
}

#[derive(Default)]
struct Happened {
    events: VecDeque<usize>,
    /// It was woken, and no wait has ended since.
    woken: bool,
    /// A thread waits in it.
    has_waiter: bool,
    /// It reports there that something has happened here.
    follower: Option<Arc<Inner>>,
}

impl Inner {
    fn tell(&self, event: Option<usize>) {
        let follower = {
            let mut happened = self.happened.lock().unwrap();
            happened.woken |= event.is_none();
            happened.events.extend(event);
            happened.follower.clone()
        };
        self.changed.notify_one();
        if let Some(follower) = follower {
            follower.tell(None);
        }
    }
}

impl Poller {
    pub(super) fn new() -> io::Result<Poller> {
        Ok(Poller(Arc::new(Inner { happened: Mutex::default(), changed: Condvar::new() })))
    }

    pub(super) fn wake(&self) {
        self.0.tell(None);
    }

    /// Each event is reported once. What may last no time does not wait.
    pub(super) fn wait(
        &self,
        timeout: Option<Duration>,
        mut happened: impl FnMut(Event),
    ) -> io::Result<bool> {
        let mut state = self.0.happened.lock().unwrap();
        if timeout != Some(Duration::ZERO) {
            state.has_waiter = true;
            let none = |state: &mut Happened| state.events.is_empty() && !state.woken;
            state = self.0.changed.wait_while(state, none).unwrap();
            state.has_waiter = false;
        }
        state.woken = false;
        let events = std::mem::take(&mut state.events);
        drop(state);
        events.into_iter().for_each(|token| happened(Event { token }));
        Ok(false)
    }

    pub(super) fn look(&self, happened: impl FnMut(Event)) -> io::Result<bool> {
        if self.0.happened.lock().unwrap().has_waiter {
            return Ok(false);
        }
        self.wait(Some(Duration::ZERO), happened)
    }

    pub(super) fn follow(&self, other: &Poller) -> bool {
        other.0.happened.lock().unwrap().follower = Some(Arc::clone(&self.0));
        true
    }

    pub(super) fn unfollow(&self, other: &Poller) {
        other.0.happened.lock().unwrap().follower = None;
    }

    /// Something has come for a connection.
    pub(super) fn happen(&self, token: usize) {
        self.0.tell(Some(token));
    }
}
