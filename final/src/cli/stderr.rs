//! What the programs write to stderr: log lines, and errors.
//!
//! A client waits until its lines are taken, as programs do. A server must not: while nobody reads (a
//! full pipe, a terminal halted by ctrl-S) every thread that logs would wait, with all who wait for it,
//! and whoever is to stop the server among them. So its lines go through a queue to a thread that does
//! nothing but write them, and a line that finds the queue full is dropped and counted.
//!
//! There is no other way to write without waiting. To make stderr non-blocking would make it so for
//! all processes that share it, such as the shell; and `poll` tells that there is room, not that there
//! is enough of it for a line.

use super::outcome::Outcome;
use crossbeam::channel::{self, Receiver, Sender};
use nix::sys::signal::{SigSet, Signal};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{panic, thread};

/// How many lines may wait to be written.
const QUEUE: usize = 1000;
/// How long the end of a program is put off for lines that wait.
const PATIENCE: Duration = Duration::from_secs(1);

static BACKGROUND: OnceLock<Background> = OnceLock::new();

struct Background {
    queue: Sender<Line>,
    /// Lines that were dropped and not told of yet. Only a count, so `Relaxed`.
    dropped: AtomicU64,
}

/// A text, and who waits for it: what they wait with is dropped when it is written.
type Line = (Vec<u8>, Option<Sender<()>>);

/// Writes a line. An error changes nothing of what there is to do; `eprintln!` would panic.
pub(super) fn write(line: &[u8]) {
    match BACKGROUND.get() {
        None => drop(io::stderr().write_all(line)),
        Some(background) => {
            if background.queue.try_send((line.to_owned(), None)).is_err() {
                background.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The same for `env_logger`, which hands over a line at a time.
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        write(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From here on nobody waits for a line to be written. Panics are logged like all else: the hook of the
/// standard library would write by itself.
///
/// # Errors
/// If the operating system refuses the thread.
pub(super) fn write_in_background() -> Outcome {
    let (queue, lines) = channel::bounded(QUEUE);
    let background = BACKGROUND.get_or_init(|| Background { queue, dropped: AtomicU64::new(0) });
    thread::Builder::new()
        .name("kvs-stderr".into())
        .spawn(move || write_all(&lines, &background.dropped))?;
    panic::set_hook(Box::new(|panic| {
        let (thread, trace) = (thread::current(), Backtrace::capture());
        let trace = match trace.status() {
            BacktraceStatus::Captured => format!("\n{trace}"),
            _ => String::new(),
        };
        log::error!("thread `{}` {panic}{trace}", thread.name().unwrap_or("unnamed"));
    }));
    Ok(())
}

fn write_all(lines: &Receiver<Line>, dropped: &AtomicU64) {
    // After `stty tostop` a terminal stops a whole background process for a line, unless that is blocked.
    let _ = SigSet::from(Signal::SIGTTOU).thread_block();
    for (text, _waits) in lines {
        let _ = io::stderr().write_all(&text);
        if lines.is_empty()
            && let lost @ 1.. = dropped.swap(0, Ordering::Relaxed)
        {
            let _ = writeln!(io::stderr(), "{lost} lines were dropped: nobody took them");
        }
    }
}

/// Waits for what is to be written in the background, and not for long.
pub(super) fn finish() {
    if let Some(background) = BACKGROUND.get() {
        let (last, written) = channel::bounded(0);
        if background.queue.send_timeout((Vec::new(), Some(last)), PATIENCE).is_ok() {
            let _ = written.recv_timeout(PATIENCE);
        }
    }
}
