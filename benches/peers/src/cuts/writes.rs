//! The process that writes until the power is cut, and the one that looks afterwards.
//!
//! Each write has a number, which is its value; its key is the number modulo [`KEYS`]. Four threads
//! share the numbers so that each key has one writer.

use super::level;
use crate::Outcome;
use crate::engines::Engine;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const KEYS: u64 = 64;
const THREADS: u64 = 4;
/// Long enough for any store to be opened and written to.
const WATCHDOG: Duration = Duration::from_secs(60);

fn key(number: u64) -> String {
    format!("key{:013}", number % KEYS)
}

/// Writes numbers from `next` on until one cannot be written, and says of each that it is.
pub(crate) fn write(engine: Engine, dir: &Path, next: u64) -> Outcome<()> {
    let store = engine.open(level(engine), dir)?;
    let write = &|thread: u64| {
        for number in (next + thread..).step_by(THREADS as usize) {
            if store.set(&key(number), &number.to_string()).is_err() {
                return;
            }
            // One call for a line, so that those of several threads do not mix.
            let _ = std::io::stdout().lock().write_all(format!("{number}\n").as_bytes());
        }
    };
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || write(thread));
        }
    });
    Ok(())
}

/// Opens the store and prints each key's number.
pub(crate) fn look(engine: Engine, dir: &Path) -> Outcome<()> {
    let store = engine.open(level(engine), dir)?;
    let mut found = String::new();
    for number in 0..KEYS {
        if let Some(value) = store.get(&key(number))? {
            found += &format!("{number} {}\n", String::from_utf8(value)?);
        }
    }
    Ok(std::io::stdout().write_all(found.as_bytes())?)
}

/// The writing process, as its parent sees it.
pub(super) struct Writer {
    child: Child,
    said: Arc<Mutex<Vec<u64>>>,
    reader: Option<thread::JoinHandle<()>>,
    first: u64,
}

impl Writer {
    pub(super) fn start(engine: Engine, dir: &Path, first: u64) -> Outcome<Writer> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.arg("cut-writer").arg(engine.name()).arg(dir).arg(first.to_string());
        // sled panics when a write fails.
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or("the writer has no output")?;
        let said = Arc::new(Mutex::new(Vec::new()));
        let hear = Arc::clone(&said);
        let reader = thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Ok(number) = line.parse() {
                    hear.lock().unwrap_or_else(PoisonError::into_inner).push(number);
                }
            }
        });
        Ok(Writer { child, said, reader: Some(reader), first })
    }

    /// What it has said so far.
    pub(super) fn acknowledged(&self) -> Vec<u64> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has said so much.
    pub(super) fn wait_for(&mut self, count: usize) -> Outcome<()> {
        let since = Instant::now();
        while self.acknowledged().len() < count {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the writer ended before it had written: {status}").into());
            }
            if since.elapsed() > WATCHDOG {
                return Err("the writer does not write".into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Kills it. Returns a number above all that it can have written.
    pub(super) fn stop(mut self) -> Outcome<u64> {
        self.end();
        let most = self.acknowledged().into_iter().max().unwrap_or(self.first);
        // Each thread has one more under way at most. And the next numbers begin anew.
        Ok((most + 2 * THREADS * THREADS).next_multiple_of(KEYS))
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end();
    }
}

/// What is in the store, by key; none if it does not open or cannot be read.
pub(super) fn found(engine: Engine, dir: &Path) -> Outcome<Option<BTreeMap<u64, u64>>> {
    // One that does not end has not opened it either.
    let mut command = Command::new("timeout");
    command.args(["--kill-after", "1", "60"]).arg(std::env::current_exe()?);
    let output = command.arg("cut-reader").arg(engine.name()).arg(dir).output()?;
    if !output.status.success() {
        eprintln!("  {}", String::from_utf8_lossy(&output.stderr).trim());
        return Ok(None);
    }
    let text = String::from_utf8(output.stdout)?;
    let pair = |line: &str| {
        let (key, number) = line.split_once(' ')?;
        Some((key.parse().ok()?, number.parse().ok()?))
    };
    let pairs = text.lines().map(|line| pair(line).ok_or_else(|| format!("`{line}` was read")));
    Ok(Some(pairs.collect::<Result<_, String>>()?))
}
