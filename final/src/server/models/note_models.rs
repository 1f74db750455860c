//! The notes of a connection alone. A thread that has to queue it gives it its turns at once.

use super::notes::{ABORTED, HUNG_UP, Notes, READY};
use crate::models::model::Model;
use crate::models::with;
use loom::sync::atomic::{AtomicU8, Ordering};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8 as Shared};

pub(crate) fn models() -> Vec<Model> {
    vec![
        Model::new("notes of a connection", no_note_is_lost),
        Model::new("a connection is aborted", aborted_once),
    ]
}

/// What happened to a connection, as loom sees it, and what its turns have found, which loom shall
/// not take for an order between them.
#[derive(Default)]
struct Connection {
    notes: Notes,
    /// Written before its note is left, one place for each who does.
    news: [AtomicU8; 3],
    has_turn: AtomicBool,
    found: [AtomicBool; 3],
    noted: Shared,
    closed: Shared,
}

impl Connection {
    fn tell(&self, who: usize, note: u8) {
        self.news[who].store(1, Ordering::Relaxed);
        if self.notes.leave(note) {
            self.serve();
        }
    }

    fn serve(&self) {
        loop {
            assert!(!self.has_turn.swap(true, Ordering::Relaxed), "two turns at a time");
            let note = self.notes.begin_turn();
            self.noted.fetch_or(note, Ordering::Relaxed);
            if note & ABORTED != 0 {
                self.closed.fetch_add(1, Ordering::Relaxed);
                // It stays busy for ever.
                return;
            }
            for (news, found) in self.news.iter().zip(&self.found) {
                found.fetch_or(news.load(Ordering::Relaxed) == 1, Ordering::Relaxed);
            }
            self.has_turn.store(false, Ordering::Relaxed);
            if self.notes.end_turn() {
                return;
            }
        }
    }
}

/// A connection that three threads have told something, and that has had its turns.
fn told_by_three(last: u8) -> Arc<Connection> {
    let connection = Arc::new(Connection::default());
    let poller = with(&connection, |connection| connection.tell(0, READY));
    let log = with(&connection, |connection| connection.tell(1, 0));
    connection.tell(2, last);
    poller.join().unwrap();
    log.join().unwrap();
    connection
}

/// Whatever happens to a connection, there is a turn that begins after it and knows of it, and there
/// is one turn at a time.
fn no_note_is_lost() {
    let connection = told_by_three(READY | HUNG_UP);
    let found = connection.found.each_ref().map(|found| found.load(Ordering::Relaxed));
    assert_eq!(found, [true; 3], "no turn has seen what happened before its note");
    assert_eq!(connection.noted.load(Ordering::Relaxed) & (READY | HUNG_UP), READY | HUNG_UP);
}

/// A connection that is aborted has one last turn, which closes it, and none after that.
fn aborted_once() {
    let connection = told_by_three(ABORTED);
    assert_eq!(connection.closed.load(Ordering::Relaxed), 1, "how often it is closed");
}
