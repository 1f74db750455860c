//! Group commit, for level `always`: writers that come at the same time share one write, and one sync. At the other
//! levels, rounds queue here while the compactor is behind.
//!
//! A writer that finds nobody at work is the leader: it commits its own write. The writers that come
//! meanwhile queue up. When the leader is done, it hands the lead to the first in the queue, which
//! commits the whole queue as one batch, and so on. So a batch is as large as the number of writers
//! that came during the one before: with a slow disk the batches grow, and with a single writer
//! there is no queue and nobody to wake. The leader decides for all, in the queue's order, what can be done
//! and what readers find, so a write waits with no lock in its hands: a connection may have many under way.
//!
//! Who does not want to wait leaves a function in its place, which is called when the write is
//! done. Such a writer cannot lead; for it the lead goes to a thread of the store's own.

use super::{Committer, Op};
use crate::panic::catch_panic;
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::sync::thread::{self, Thread};
use crate::sync::{Condvar, Mutex, MutexGuard, fault};
use crate::{KvsError, Result};
use std::sync::{Arc, PoisonError};

/// How long a batch becomes, in bytes, unless a single write is longer.
pub(crate) const MAX_BATCH: usize = 16 << 20;

/// Where writers meet.
pub(crate) struct GroupCommit {
    committer: Arc<Committer>,
    /// Held for a push or a swap, never while anything is written.
    queue: Mutex<Queue>,
    /// Told when the store's own thread shall lead, or end. Only that thread waits.
    called: Condvar,
    /// Whether writes were queued by callers that don't wait, and aren't all done. Changed under the lock of the
    /// queue; read without. `Release` and `Acquire`: a caller that finds none also finds what those have written.
    is_busy: AtomicBool,
}

#[derive(Default)]
struct Queue {
    /// Whether some thread commits right now, or was told to.
    has_leader: bool,
    ops: Vec<Op>,
    /// Who waits for each op.
    waiters: Vec<Waiter>,
    /// Whether the store's own thread shall lead.
    call: bool,
    /// Whether that thread shall end.
    end: bool,
}

/// A writer in the queue.
enum Waiter {
    Thread(Arc<WaitingThread>),
    Callback(Box<dyn FnOnce(Result<()>) + Send>),
}

/// A writer that waits for its result.
struct WaitingThread {
    /// [`WAITING`], then [`LEADING`] or [`DONE`]. The store is `Release` and the load `Acquire`, so
    /// that who sees `DONE` sees the result.
    state: AtomicU8,
    result: Mutex<Result<()>>,
    thread: Thread,
}

const WAITING: u8 = 0;
const LEADING: u8 = 1;
const DONE: u8 = 2;

impl WaitingThread {
    /// Sleeps at once: a sync takes far longer than a look.
    fn wait(&self) -> u8 {
        loop {
            let state = self.state.load(Ordering::Acquire);
            if state != WAITING {
                return state;
            }
            thread::park();
        }
    }

    fn tell(&self, state: u8) {
        self.state.store(state, Ordering::Release);
        self.thread.unpark();
    }

    fn result(&self) -> MutexGuard<'_, Result<()>> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GroupCommit {
    pub(crate) fn new(committer: Arc<Committer>) -> GroupCommit {
        let (queue, called) = (Mutex::default(), Condvar::new());
        GroupCommit { committer, queue, called, is_busy: AtomicBool::new(false) }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing that can panic runs under this lock but an allocation.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits a write; returns when it is done at the store's level of durability.
    pub(crate) fn commit(&self, mut op: Op) -> Result<()> {
        let mut queue = self.queue();
        if queue.has_leader {
            let waiting = Arc::new(WaitingThread {
                state: AtomicU8::new(WAITING),
                result: Mutex::new(Ok(())),
                thread: thread::current(),
            });
            queue.ops.push(op);
            queue.waiters.push(Waiter::Thread(Arc::clone(&waiting)));
            drop(queue);
            if waiting.wait() == LEADING {
                self.lead(MAX_BATCH);
            }
            return std::mem::replace(&mut *waiting.result(), Ok(()));
        }
        queue.has_leader = true;
        fault!("two lead at a time", queue.has_leader = false);
        drop(queue);
        fault!("who leads only for itself leaves no lead when it panics", {
            self.committer.commit(&mut [op.clone()])
        });
        let _lead = LeaderGuard::of(self, Vec::new(), Vec::new());
        self.committer.commit(std::slice::from_mut(&mut op));
        op.result
    }

    /// Commits writes without waiting for them; they have their places in the queue one behind the other. With each
    /// comes what is called when it is done.
    pub(crate) fn commit_then<D: FnOnce(Result<()>) + Send + 'static>(
        &self,
        writes: impl IntoIterator<Item = (Op, D)>,
    ) {
        let mut queue = self.queue();
        self.is_busy.store(true, Ordering::Release);
        for (op, done) in writes {
            queue.ops.push(op);
            queue.waiters.push(Waiter::Callback(Box::new(done)));
        }
        if !queue.has_leader {
            queue.has_leader = true;
            self.call(&mut queue);
        }
    }

    /// Whether a write of a caller that didn't wait may not be done yet.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Acquire)
    }

    fn call(&self, queue: &mut Queue) {
        queue.call = true;
        self.called.notify_one();
    }

    /// The life of the store's own thread: it leads whenever it is called, until it is told to end
    /// and nothing is left to do. Before each batch it calls `admit`, which waits and returns how many bytes may be
    /// written, and afterwards `after`.
    pub(crate) fn serve(&self, admit: impl Fn() -> usize, after: impl Fn()) {
        loop {
            let idle = |queue: &mut Queue| !queue.call && !queue.end;
            let wait = self.called.wait_while(self.queue(), idle);
            let mut queue = wait.unwrap_or_else(PoisonError::into_inner);
            if queue.end && fault!("the log's thread ends when it is told to, whatever is left") {
                return;
            }
            if !std::mem::take(&mut queue.call) {
                return;
            }
            drop(queue);
            // A panic costs the batch, whose writers are told, and not the thread.
            catch_panic(|| self.lead(admit()));
            after();
        }
    }

    /// Tells the store's own thread to end.
    pub(crate) fn end(&self) {
        self.queue().end = true;
        self.called.notify_one();
    }

    /// Commits the whole queue, or so many bytes of it.
    fn lead(&self, most: usize) {
        let mut lead = {
            let mut queue = self.queue();
            let count = batch_len(&queue.ops, most);
            let ops = queue.ops.drain(..count).collect();
            let waiters = queue.waiters.drain(..count).collect();
            fault!("what a leader has taken passes for done", {
                self.is_busy.store(false, Ordering::Release)
            });
            LeaderGuard::of(self, waiters, ops)
        };
        self.committer.commit(&mut lead.ops);
        lead.is_done = true;
    }
}

/// How many of the ops make a batch: all, unless they are longer than `most`.
fn batch_len(ops: &[Op], most: usize) -> usize {
    let mut bytes = 0;
    let fits = |op: &&Op| {
        bytes += op.len();
        bytes <= most
    };
    ops.iter().take_while(fits).count().max(1)
}

/// The lead. However it ends, by a panic too, those whose writes it had are told, and the next one
/// takes it over: nobody waits for ever.
struct LeaderGuard<'a> {
    group: &'a GroupCommit,
    waiters: Vec<Waiter>,
    /// The write of each of the waiters.
    ops: Vec<Op>,
    /// Whether they were committed, and not ended by a panic.
    is_done: bool,
}

impl<'a> LeaderGuard<'a> {
    fn of(group: &'a GroupCommit, waiters: Vec<Waiter>, ops: Vec<Op>) -> LeaderGuard<'a> {
        LeaderGuard { group, waiters, ops, is_done: false }
    }
}

impl Drop for LeaderGuard<'_> {
    fn drop(&mut self) {
        {
            let mut queue = self.group.queue();
            match queue.waiters.first() {
                Some(Waiter::Thread(_)) if fault!("the lead is not handed on") => {}
                Some(Waiter::Callback(_)) if fault!("the log's thread is not called") => {}
                None if fault!("the lead is never given up") => {}
                Some(Waiter::Thread(next)) => next.tell(LEADING),
                Some(Waiter::Callback(_)) => self.group.call(&mut queue),
                None => {
                    queue.has_leader = false;
                    self.group.is_busy.store(false, Ordering::Release);
                }
            }
        }
        for (op, waiter) in self.ops.drain(..).zip(self.waiters.drain(..)) {
            let result = match self.is_done {
                true => op.result,
                false if fault!("a panic acknowledges") => Ok(()),
                false => Err(KvsError::Stopped { reason: "the writer panicked".into() }),
            };
            match waiter {
                Waiter::Thread(waiting) => {
                    fault!("a writer is told before its result is there", waiting.tell(DONE));
                    *waiting.result() = result;
                    waiting.tell(DONE);
                }
                Waiter::Callback(done) => catch_panic(|| done(result)),
            }
        }
    }
}
