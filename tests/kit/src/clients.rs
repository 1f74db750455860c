//! Clients that ask and ask, and clients that never rest.

use crate::raw::{FOUND, GET};
use crate::{Raw, until};
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr};
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

/// How much it sends at a time, in bytes: far more than a server reads at a time.
const PACKET: usize = 1 << 20;

/// A client that sends the same request again and again, many before the first answer, and reads the answers.
pub struct Flood {
    client: Raw,
    answers: Arc<AtomicUsize>,
    sender: JoinHandle<()>,
    /// Returns what came in place of an answer.
    receiver: JoinHandle<String>,
}

impl Flood {
    /// Sends `bytes` again and again, on a connection of which nothing was read. All answers are to
    /// be `answer`.
    pub fn start(client: Raw, bytes: &str, answer: &str) -> Flood {
        let mut sender = client.stream().try_clone().unwrap();
        let packet = bytes.repeat(PACKET / bytes.len());
        let sender = thread::spawn(move || while sender.write_all(packet.as_bytes()).is_ok() {});
        // Reads as fast as it can: the server is never kept waiting.
        let mut reader = BufReader::with_capacity(1 << 20, client.stream().try_clone().unwrap());
        let (answers, expected) = (Arc::new(AtomicUsize::new(0)), format!("{answer}\n"));
        let count = Arc::clone(&answers);
        let receiver = thread::spawn(move || {
            let mut answer = Vec::new();
            while reader.read_until(b'\n', &mut answer).is_ok() && answer == expected.as_bytes() {
                count.fetch_add(1, Ordering::Relaxed);
                answer.clear();
            }
            String::from_utf8(answer).unwrap()
        });
        Flood { client, answers, sender, receiver }
    }

    /// Returns when so many more answers have come.
    pub fn gets(&self, count: usize) {
        let end = self.answers.load(Ordering::Relaxed) + count;
        until("the answers come", || {
            let answers = self.answers.load(Ordering::Relaxed);
            assert!(!self.receiver.is_finished(), "it ends after {answers} answers");
            answers >= end
        });
    }

    /// Ends the connection.
    pub fn stop(self) {
        self.client.stream().shutdown(Shutdown::Both).unwrap();
        self.sender.join().unwrap();
        // The last one may be cut off by this side.
        let last = self.receiver.join().unwrap();
        assert!(!last.contains("Err"), "{last}");
    }
}
