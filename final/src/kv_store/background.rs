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
    /// Nothing is ever sent; it is dropped to end the compactor.
    stop: Option<Sender<Infallible>>,
    compactor: Option<JoinHandle<()>>,
    sync: Option<Periodic>,
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
        // If a thread is refused, the drop of this ends the one before.
        let mut threads =
            Background { wake, stop: Some(stop), compactor: None, sync: None, group_commit: None };
        if !log.options.background {
            return Ok(threads);
        }
        let due = Arc::clone(compactor);
        let compactor = Arc::clone(compactor);
        let compact = move || compact(&compactor, &wakes, &stopped, RETRY_DELAY);
        threads.compactor =
            Some(thread::Builder::new().name("kvs-compactor".into()).spawn(compact)?);
        let same = Arc::clone(log);
        // A failure has stopped all writing and is in the log; there is nothing left to sync.
        threads.sync = match log.options.durability {
            Durability::Always => None,
            Durability::Interval(time) => {
                Some(Periodic::start("kvs-sync", time, move || same.sync().is_ok())?)
            }
            Durability::Os => {
                Some(Periodic::start("kvs-sync", LOOK, move || same.see_tail().is_ok())?)
            }
        };
        let (group_commit, leader) = (Arc::clone(group_commit), Arc::clone(group_commit));
        let wake = threads.wake.clone();
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
        let thread = thread::Builder::new().name("kvs-log".into()).spawn(lead)?;
        threads.group_commit = Some((group_commit, thread));
        Ok(threads)
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
        self.sync = None;
        if let Some(thread) = self.compactor.take() {
            // It may be in a pause.
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

/// A thread that does something every so often, until this is dropped.
pub(super) struct Periodic {
    /// Nothing is ever sent; it is dropped to end the thread.
    stop: Option<Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Periodic {
    /// Calls `work` whenever `time` has passed, for as long as it returns true.
    pub(super) fn start(
        name: &str,
        time: Duration,
        mut work: impl FnMut() -> bool + Send + 'static,
    ) -> io::Result<Periodic> {
        let (stop, stopped) = bounded(0);
        let run = move || {
            while stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout) && work() {}
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Periodic { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Periodic {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // An error is a panic of the thread, which its hook has reported.
            let _ = thread.join();
        }
    }
}
