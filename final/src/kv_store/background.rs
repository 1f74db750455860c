//! The store's own threads: one compacts, one syncs at level `interval`, and one leads for the writers
//! that do not wait.

use super::commit::group_commit::{GroupCommit, MAX_BATCH};
use super::compaction::Compactor;
use super::format::manifest;
use super::log::Log;
use super::options::Durability;
use crate::sync::thread::{self, JoinHandle};
use crate::{KvsError, Result};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded, select};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long the compactor waits after a failure before it tries again: twice as long each time, unless all it
/// lacked was space, which may be there again at any time.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// As above, after many failures.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(3600);

/// How often it is seen, where nothing is synced, that the files are still there.
const LOOK: Duration = Duration::from_secs(1);

/// The threads, and how to talk to them.
pub(super) struct Background {
    wake: Sender<()>,
    /// Nothing is ever sent; it is dropped to end the compactor, and the thread that syncs.
    stop: Option<Sender<Infallible>>,
    threads: Vec<JoinHandle<()>>,
    group_commit: Option<(Arc<GroupCommit>, JoinHandle<()>)>,
}

impl Background {
    pub(super) fn start(
        log: &Arc<Log>,
        group_commit: &Arc<GroupCommit>,
        compactor: &Arc<Compactor>,
    ) -> Result<Background> {
        let (wake, wakes) = bounded(1);
        let (stop, stopped) = bounded(0);
        // If a thread is refused, the drop of this ends those before.
        let mut background =
            Background { wake, stop: Some(stop), threads: Vec::new(), group_commit: None };
        if !log.options.background {
            return Ok(background);
        }
        let (due, compactor, ended) =
            (Arc::clone(compactor), Arc::clone(compactor), stopped.clone());
        let compact = move || compact(&compactor, &wakes, &ended, RETRY_DELAY);
        background.threads.push(spawn("kvs-compactor", compact)?);
        let same = Arc::clone(log);
        // A failure has stopped all writing and is in the log; there is nothing left to sync.
        let sync = move |time, sync: fn(&Log) -> Result<()>| {
            let is_time = move || stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
            spawn("kvs-sync", move || while is_time() && sync(&same).is_ok() {})
        };
        match log.options.durability {
            Durability::Always => {}
            Durability::Interval(time) => background.threads.push(sync(time, Log::sync)?),
            Durability::Os => background.threads.push(sync(LOOK, Log::see_tail)?),
        }
        let (group_commit, leader) = (Arc::clone(group_commit), Arc::clone(group_commit));
        let wake = background.wake.clone();
        // A writer that does not wait cannot tell the compactor how much garbage its write has made, and
        // this thread waits in its place.
        let lead = move || {
            let compact_if_due = || {
                if due.has_work() {
                    let _ = wake.try_send(());
                }
            };
            leader.serve(|| due.admit_batch(), compact_if_due);
        };
        background.group_commit = Some((group_commit, spawn("kvs-log", lead)?));
        Ok(background)
    }

    /// Tells the compactor that it would pay. Does not wait for it.
    pub(super) fn wake_compactor(&self) {
        // If it is full, the compactor was told already.
        let _ = self.wake.try_send(());
    }

    /// Whether there is a thread that leads for writers that do not wait.
    pub(super) fn commits(&self) -> bool {
        self.group_commit.is_some()
    }

    /// Ends the threads and waits for them.
    pub(super) fn stop(&mut self) {
        if let Some((group_commit, thread)) = self.group_commit.take() {
            group_commit.end();
            if thread.thread().id() == thread::current().id() {
                // The last handle of the store went with a callback. This thread cannot wait for
                // itself, but it can do what is left.
                group_commit.serve(|| MAX_BATCH, || ());
            } else {
                let _ = thread.join();
            }
        }
        self.stop = None;
        for thread in self.threads.drain(..) {
            // The compactor may be in a pause.
            thread.thread().unpark();
            // An error is a panic of the thread, which its hook has reported.
            let _ = thread.join();
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(run)
}

/// The life of the compactor's thread: it looks whenever it is woken whether a compaction pays, and after a
/// failure by itself.
pub(super) fn compact(
    compactor: &Compactor,
    wakes: &Receiver<()>,
    stopped: &Receiver<Infallible>,
    first_delay: Duration,
) {
    // However this ends, by a panic too.
    let _on = compactor.throttle.turn_on();
    loop {
        select! {
            recv(wakes) -> _ => {}
            recv(stopped) -> _ => return,
        }
        let mut delay = first_delay;
        while let Err(error) = compactor.run_if_due() {
            compactor.throttle.note(false);
            if matches!(error, KvsError::NoCompaction) {
                return;
            }
            log::error!("compaction failed: {error}");
            if stopped.recv_timeout(delay) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            delay = match &error {
                KvsError::File { source, .. } if manifest::is_full(source) => first_delay,
                _ => MAX_RETRY_DELAY.min(delay * 2),
            };
        }
    }
}
