use super::link::Link;
use crate::protocol::Request;
use crate::{KvsError, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What an answer says.
pub(super) type Answer = Result<Option<String>>;

/// Where an answer is put when it comes. Locked for a moment, and only by those who have locked the
/// connection, so nobody ever waits for it.
pub(super) type Slot = Mutex<Option<Answer>>;

/// Locks a connection or a slot. A thread that panicked with the lock has not left it half-changed:
/// what it calls under the lock does not panic.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A link to the server, until the first error on it. Then it is closed, for good: the next answer
/// could be that of another request. What is left is the reason.
pub(super) struct Connection(std::result::Result<Link, String>);

impl Connection {
    pub(super) fn new(link: Link) -> Connection {
        Connection(Ok(link))
    }

    /// Sends a request, now or with the next ones. The answer will be in the slot.
    pub(super) fn send(&mut self, request: &Request) -> Result<Arc<Slot>> {
        self.with(|link| link.send(request))
    }

    /// Sends what was not sent yet.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.with(Link::flush)
    }

    /// Waits for the answer that belongs into `slot`, and takes it out.
    pub(super) fn answer(&mut self, slot: &Slot) -> Answer {
        loop {
            if let Some(answer) = lock(slot).take() {
                return answer;
            }
            if let Err(error) = self.with(Link::next_answer) {
                // It may have come before the connection was lost.
                return lock(slot).take().unwrap_or(Err(error));
            }
        }
    }

    /// From now on every call fails.
    pub(super) fn give_up(&mut self, error: KvsError) -> KvsError {
        self.0 = Err(error.to_string());
        error
    }

    fn with<T>(&mut self, work: impl FnOnce(&mut Link) -> Result<T>) -> Result<T> {
        match &mut self.0 {
            Ok(link) => work(link).map_err(|error| self.give_up(error)),
            Err(reason) => Err(KvsError::GivenUp { reason: reason.clone() }),
        }
    }
}
