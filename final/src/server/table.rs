use super::connection::Connection;
use crate::sync::{Mutex, MutexGuard};
use slab::Slab;
use std::sync::{Arc, PoisonError};

/// All open connections, by token.
///
/// A token is used again after its connection was closed, so an event may reach the next one that
/// has it. That costs one read in vain: an event says no more than that it may be worth a look.
#[derive(Default)]
pub(super) struct Table {
    /// Locked for as long as it takes to look up the connections of one batch of events, to add or
    /// to remove one, or to walk over them once a second.
    open: Mutex<Slab<Arc<Connection>>>,
}

impl Table {
    pub(super) fn lock(&self) -> MutexGuard<'_, Slab<Arc<Connection>>> {
        // Nothing that can panic runs under this lock but an allocation.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// All of them, at this moment.
    pub(super) fn all(&self) -> Vec<Arc<Connection>> {
        self.lock().iter().map(|(_, connection)| Arc::clone(connection)).collect()
    }
}
