//! Clients that ask and ask.

use crate::raw::{FOUND, GET};
use crate::{Raw, until};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

/// Clients that ask and ask, and whom nothing that others do may disturb. They ask for what [`SET`](crate::raw::SET) has set, and count their answers.
pub struct Active {
    answers: Arc<[AtomicUsize]>,
    done: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Active {
    /// So many.
    pub fn start(addr: SocketAddr, clients: usize) -> Active {
        let answers: Arc<[_]> = (0..clients).map(|_| AtomicUsize::new(0)).collect();
        let done = Arc::new(AtomicBool::new(false));
        let client = |number: usize| {
            let (answers, done) = (Arc::clone(&answers), Arc::clone(&done));
            let mut client = Raw::connect(addr);
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(client.ask(GET), FOUND);
                    answers[number].fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let clients = (0..clients).map(client).collect();
        Active { answers, done, clients }
    }

    /// How many answers each has had.
    pub fn counts(&self) -> Vec<usize> {
        self.answers.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }

    /// Returns when each has had so many more answers.
    pub fn go_on(&self, answers: usize) {
        let before = self.counts();
        until("all active clients are answered", || {
            let is_disturbed = self.clients.iter().any(JoinHandle::is_finished);
            assert!(!is_disturbed, "one that behaves was disturbed");
            before.iter().zip(self.counts()).all(|(before, now)| now >= before + answers)
        });
    }

    /// Has them stop, and fails if one has failed.
    pub fn stop(self) {
        self.done.store(true, Ordering::Relaxed);
        self.clients.into_iter().for_each(|client| client.join().unwrap());
    }
}
