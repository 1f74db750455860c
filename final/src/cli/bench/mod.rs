//! `kvs bench`: a load of many clients, and what it felt like to them.

mod client;
mod load;
mod report;

use super::args::BenchArgs;
use super::outcome::{Outcome, ResultExt, err_msg};
use crate::KvsClient;
use client::BenchClient;
use crossbeam::channel::{self, Receiver, RecvTimeoutError};
use load::Load;
use report::Report;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often the progress is shown.
const BLINK: Duration = Duration::from_millis(200);

/// Measures the server, and prints what came out.
///
/// # Errors
/// If the server cannot be reached. If a request fails, after the report.
pub(super) fn bench(args: &BenchArgs) -> Outcome {
    let load = Arc::new(Load::new(args));
    preload(args.remote().connect()?, &load).context("cannot write the keys")?;
    // Counts for the progress alone, so `Relaxed`.
    let done = Arc::new(AtomicU64::new(0));
    // A client waits for a word before it begins, and says by hanging up that it has ended.
    let (go, start) = channel::bounded::<()>(args.clients() as usize);
    let (end, ended) = channel::bounded::<()>(0);
    let mut threads = Vec::new();
    for number in 0..args.clients() {
        let mut client = BenchClient::new(args, number, &load, &done)?;
        let (start, end) = (start.clone(), end.clone());
        let run = move || {
            let begun = start.recv().is_ok();
            let report = if begun { client.run() } else { Report::new() };
            drop(end);
            report
        };
        let thread = thread::Builder::new().name("kvs-bench".into()).spawn(run);
        threads.push(thread.context("cannot start a thread for each client")?);
    }
    drop(end);
    let begin = Instant::now();
    for _ in &threads {
        go.send(())?;
    }
    watch(&ended, &done, args.requests());
    let time = begin.elapsed();
    let mut report = Report::new()?;
    for thread in threads {
        let part = thread.join().map_err(|_| err_msg("a client panicked"))?;
        report.add(part?)?;
    }
    write!(io::stdout(), "{}", report.text(args, time))?;
    report.verdict()
}

/// Gives all keys their values.
fn preload(mut client: KvsClient, load: &Load) -> Outcome {
    /// Enough for a fast start, and little enough for values of any length.
    const BATCH: u32 = 64;
    for first in (0..load.keys).step_by(BATCH as usize) {
        let batch = first..load.keys.min(first.saturating_add(BATCH));
        let sets = batch.map(|key| client.submit_set(load.key(key), load.value(key)));
        for set in sets.collect::<Result<Vec<_>, _>>()? {
            set.wait()?;
        }
    }
    Ok(())
}

/// Waits for the end of all clients, and shows on a terminal how far they are.
fn watch(ended: &Receiver<()>, done: &AtomicU64, requests: u64) {
    let terminal = io::stderr().is_terminal();
    let begin = Instant::now();
    while ended.recv_timeout(BLINK) == Err(RecvTimeoutError::Timeout) {
        if terminal {
            let done = done.load(Ordering::Relaxed);
            let share = done as f64 / requests as f64;
            let bar = "#".repeat((share * 40.0) as usize);
            let rate = done as f64 / begin.elapsed().as_secs_f64();
            let percent = share * 100.0;
            let _ = write!(io::stderr(), "\r[{bar:40}] {percent:3.0} % {rate:8.0} requests/s");
        }
    }
    if terminal {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}
