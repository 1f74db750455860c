//! What is printed while a server is talked to.

use super::outcome::{Outcome, err_msg, print_message};
use crossbeam::channel::{self, Receiver, Sender};
use std::io::{self, BufWriter, Write};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

/// Prints on a thread of its own, in order: who reads slowly does not keep the server waiting, which
/// would hang up in the end. Nothing is refused, so its user has to look how far it is behind.
pub(super) struct Printer {
    pieces: Sender<Piece>,
    /// Bytes that were not written yet. A number by itself, so `Relaxed`.
    behind: Arc<AtomicUsize>,
    thread: JoinHandle<io::Result<()>>,
}

/// A text, and whether it is for people on stderr.
type Piece = (String, bool);

impl Printer {
    /// # Errors
    /// If the system refuses the thread.
    pub(super) fn start() -> Outcome<Printer> {
        let (sender, pieces) = channel::unbounded();
        let behind = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&behind);
        let run = move || print(&pieces, &count);
        let thread = thread::Builder::new().name("kvs-printer".into()).spawn(run)?;
        Ok(Printer { pieces: sender, behind, thread })
    }

    /// Prints on stdout, some time soon.
    ///
    /// # Errors
    /// If stdout takes nothing any more; [`Printer::finish`] says why.
    pub(super) fn out(&self, text: String) -> Outcome {
        if text.is_empty() { Ok(()) } else { self.send((text, false)) }
    }

    /// Prints a line for people on stderr, after what stdout got before.
    ///
    /// # Errors
    /// As [`Printer::out`].
    pub(super) fn message(&self, message: String) -> Outcome {
        self.send((message, true))
    }

    /// How many bytes wait to be written.
    pub(super) fn behind(&self) -> usize {
        self.behind.load(Ordering::Relaxed)
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// Why something could not be.
    pub(super) fn catch_up(&mut self) -> Outcome {
        mem::replace(self, Printer::start()?).finish()
    }

    /// The same for the last time.
    ///
    /// # Errors
    /// As [`Printer::catch_up`].
    pub(super) fn finish(self) -> Outcome {
        drop(self.pieces);
        Ok(self.thread.join().map_err(|_| err_msg("the printer panicked"))??)
    }

    fn send(&self, piece: Piece) -> Outcome {
        self.behind.fetch_add(piece.0.len(), Ordering::Relaxed);
        self.pieces.send(piece).map_err(|_| err_msg("stdout takes nothing any more"))
    }
}

fn print(pieces: &Receiver<Piece>, behind: &AtomicUsize) -> io::Result<()> {
    let mut stdout = BufWriter::new(io::stdout());
    for (text, is_message) in pieces {
        if is_message {
            stdout.flush()?;
            print_message(&text);
        } else {
            stdout.write_all(text.as_bytes())?;
        }
        behind.fetch_sub(text.len(), Ordering::Relaxed);
        if pieces.is_empty() {
            stdout.flush()?;
        }
    }
    stdout.flush()
}
