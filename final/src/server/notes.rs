//! Whether a connection is looked after, and what has happened to it meanwhile: one byte that the
//! poller, the event loops, and the thread that finishes a write share without a lock.

use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::fault;

/// It is queued or has its turn.
const BUSY: u8 = 1;
/// Something has happened since the turn began.
const NOTICED: u8 = 2;
/// The socket is worth a look.
pub(super) const READY: u8 = 4;
/// The client ended its side, or the connection broke.
pub(super) const HUNG_UP: u8 = 8;
/// It gets no other turn.
pub(super) const ABORTED: u8 = 16;

/// The notes that were left for a connection's next turn.
///
/// A thread that finds that it is not busy queues it; the others only leave a note, which the thread that gives
/// the turn finds when it ends it. `AcqRel`, so that what was written before the note is seen in
/// the turn after it.
#[derive(Default)]
pub(super) struct Notes(AtomicU8);

impl Notes {
    /// Leaves a note, perhaps an empty one. Returns whether the caller has to queue the connection.
    pub(super) fn leave(&self, note: u8) -> bool {
        fault!("a note is left without an order", {
            return self.0.fetch_or(BUSY | NOTICED | note, Ordering::Relaxed) & BUSY == 0;
        });
        let was = self.0.fetch_or(BUSY | NOTICED | note, Ordering::AcqRel);
        was & BUSY == 0 || fault!("each note queues the connection")
    }

    /// Begins a turn, for which the connection was queued. Returns the notes.
    pub(super) fn begin_turn(&self) -> u8 {
        self.0.swap(BUSY, Ordering::AcqRel)
    }

    /// Ends a turn. Returns false if there are notes: the connection is still busy then, and the
    /// caller has to queue it.
    pub(super) fn end_turn(&self) -> bool {
        fault!("a turn ends without a look at the notes", {
            self.0.store(0, Ordering::Release);
            return true;
        });
        self.0.compare_exchange(BUSY, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
