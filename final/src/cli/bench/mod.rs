//! `kvs bench`: a load of many clients, and what it felt like to them.

mod client;
mod load;
mod report;

use super::args::BenchArgs;
use super::outcome::{Outcome, ResultExt, err_msg};
use super::signals;
use crate::client::lock;
use crate::{KvsClient, os};
use client::{BenchClient, SharedReport};
use crossbeam::channel::{self, Receiver};
use crossbeam::select;
pub(super) use load::Settings;
use report::Report;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How often the progress is shown.
const BLINK: Duration = Duration::from_millis(200);

/// Measures the server, and prints what came out; also what has come out when it is told to stop.
///
/// # Errors
/// If the server cannot be reached. If a request fails, or it was told to stop, after the report.
pub(super) fn bench(args: &BenchArgs) -> Outcome {
    let (remote, settings) = (args.remote.remote(), Arc::new(args.settings()));
    os::sleep_exactly();
    preload(remote.connect()?, &settings).context("cannot write the keys")?;
    // A client waits to be told when it began, and says by hanging up that it has ended.
    let (go, start) = channel::bounded(settings.clients as usize);
    let (end, ended) = channel::bounded::<()>(0);
    let (mut threads, mut reports) = (Vec::new(), Vec::new());
    for number in 0..settings.clients {
        let report = Arc::new(Mutex::new(Report::new()?));
        let mut client = BenchClient::new(remote.clone(), &settings, number, &report)?;
        let (start, end) = (start.clone(), end.clone());
        let run = move || {
            let result = start.recv().map_or(Ok(()), |begin| client.run(begin));
            drop(end);
            result
        };
        let thread = thread::Builder::new().name("kvs-bench".into()).spawn(run);
        threads.push(thread.context("cannot start a thread for each client")?);
        reports.push(report);
    }
    drop(end);
    let (interrupt, interrupted) = channel::bounded::<()>(0);
    signals::on_terminate(move || drop(interrupt))?;
    let begin = Instant::now();
    for _ in &threads {
        go.send(begin)?;
    }
    let is_done = watch(&ended, &interrupted, &reports, settings.requests);
    let time = begin.elapsed();
    // A client that waits for its server ends with the process.
    for thread in threads.into_iter().filter(|_| is_done) {
        thread.join().map_err(|_| err_msg("a client panicked"))??;
    }
    let mut report = Report::new()?;
    for part in &reports {
        report.add(&lock(part))?;
    }
    let print = match (args.json, args.csv) {
        (true, _) => Report::json,
        (_, true) => Report::csv,
        _ => Report::text,
    };
    io::stdout().write_all(print(&report, &settings, time).as_bytes())?;
    if is_done { report.verdict() } else { Err(err_msg("it was stopped before its last request")) }
}

/// Gives all keys their values.
fn preload(mut client: KvsClient, load: &Settings) -> Outcome {
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

/// Waits for the end of all clients, and shows on a terminal how far they are. Returns false if it was
/// interrupted.
fn watch(
    ended: &Receiver<()>,
    interrupted: &Receiver<()>,
    reports: &[SharedReport],
    requests: u64,
) -> bool {
    let terminal = io::stderr().is_terminal();
    let begin = Instant::now();
    let is_done = loop {
        select! {
            recv(ended) -> _ => break true,
            recv(interrupted) -> _ => break false,
            default(BLINK) => {}
        }
        if terminal {
            let done: u64 = reports.iter().map(|report| lock(report).requests()).sum();
            let share = done as f64 / requests as f64;
            let bar = "#".repeat((share * 40.0) as usize);
            let rate = done as f64 / begin.elapsed().as_secs_f64();
            let percent = share * 100.0;
            let _ = write!(io::stderr(), "\r[{bar:40}] {percent:3.0} % {rate:8.0} requests/s");
        }
    };
    if terminal {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    is_done
}
