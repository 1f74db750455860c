//! Stands for crossbeam's channel, which loom cannot look into: a queue behind a lock, whose
//! receivers wait until something is in it or its sender is gone.

use super::sync::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;

pub(crate) struct Sender<T>(Arc<Channel<T>>);
pub(crate) struct Receiver<T>(Arc<Channel<T>>);

/// The other end is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Disconnected;

struct Channel<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    queue: VecDeque<T>,
    is_closed: bool,
}

pub(crate) fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    let state = Mutex::new(State { queue: VecDeque::new(), is_closed: false });
    let channel = Arc::new(Channel { state, changed: Condvar::new() });
    (Sender(Arc::clone(&channel)), Receiver(channel))
}

impl<T> Sender<T> {
    /// Never fails: in no model do the receivers go first.
    pub(crate) fn send(&self, item: T) -> Result<(), Disconnected> {
        self.0.state.lock().unwrap().queue.push_back(item);
        self.0.changed.notify_one();
        Ok(())
    }
}

impl<T> Receiver<T> {
    pub(crate) fn recv(&self) -> Result<T, Disconnected> {
        let wait = |state: &mut State<T>| state.queue.is_empty() && !state.is_closed;
        let state = self.0.changed.wait_while(self.0.state.lock().unwrap(), wait);
        state.unwrap().queue.pop_front().ok_or(Disconnected)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        Receiver(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().is_closed = true;
        self.0.changed.notify_all();
    }
}
