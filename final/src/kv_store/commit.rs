//! Group commit: writers that come at the same time share one write, and one sync.
//!
//! A writer that finds nobody at work is the leader: it commits its own write. Whoever comes
//! meanwhile queues up. When the leader is done, it hands the lead to the first in the queue, which
//! commits the whole queue as one batch, and so on. So a batch is as large as the number of writers
//! that came during the one before: with a slow disk the batches grow, and with a single writer
//! there is no queue and nobody to wake.

use super::options::Durability;
use super::writer::{Op, Writer};
use crate::{KvsError, Result};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

/// How often a writer looks for its result before it goes to sleep, where there is no sync to wait
/// for: about as long as it takes the leader to commit a small batch.
const LOOKS: u32 = 300;

/// How long a batch becomes, in bytes, unless a single write is longer.
const MAX_BATCH: usize = 16 << 20;

/// Where writers meet.
pub(super) struct Commit {
    writer: Arc<Writer>,
    /// Held for a push or a swap, never while anything is written.
    queue: Mutex<Queue>,
    looks: u32,
}

#[derive(Default)]
struct Queue {
    /// Whether some thread commits right now, or was told to.
    has_leader: bool,
    ops: Vec<Op>,
    /// Who waits for each op.
    waiters: Vec<Arc<Waiter>>,
}

/// A writer in the queue.
struct Waiter {
    /// [`WAITING`], then [`LEADING`] or [`DONE`]. The store is `Release` and the load `Acquire`, so
    /// that who sees `DONE` sees the result.
    state: AtomicU8,
    result: Mutex<Result<()>>,
    thread: Thread,
}

const WAITING: u8 = 0;
const LEADING: u8 = 1;
const DONE: u8 = 2;

impl Waiter {
    fn wait(&self, looks: u32) -> u8 {
        for _ in 0..looks {
            let state = self.state.load(Ordering::Acquire);
            if state != WAITING {
                return state;
            }
            std::hint::spin_loop();
        }
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

impl Commit {
    pub(super) fn new(writer: Arc<Writer>) -> Commit {
        let looks = if writer.options.durability == Durability::Always { 0 } else { LOOKS };
        Commit { writer, queue: Mutex::default(), looks }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing that can panic runs under this lock but an allocation.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits a write; returns when it is done at the store's level of durability.
    pub(super) fn commit(&self, mut op: Op) -> Result<()> {
        let waiter = {
            let mut queue = self.queue();
            if !queue.has_leader {
                queue.has_leader = true;
                None
            } else {
                let waiter = Arc::new(Waiter {
                    state: AtomicU8::new(WAITING),
                    result: Mutex::new(Ok(())),
                    thread: thread::current(),
                });
                queue.ops.push(std::mem::replace(&mut op, Op::new(String::new(), None)));
                queue.waiters.push(Arc::clone(&waiter));
                Some(waiter)
            }
        };
        match waiter {
            None => {
                let _lead = Lead { commit: self, waiters: Vec::new() };
                self.writer.commit(std::slice::from_mut(&mut op));
                op.result
            }
            Some(waiter) => {
                if waiter.wait(self.looks) == LEADING {
                    self.lead();
                }
                std::mem::replace(&mut *waiter.result(), Ok(()))
            }
        }
    }

    /// Commits the whole queue, the caller's own write among it.
    fn lead(&self) {
        let (mut ops, waiters): (Vec<_>, Vec<_>) = {
            let mut queue = self.queue();
            let count = batch_len(&queue.ops);
            let ops = queue.ops.drain(..count).collect();
            (ops, queue.waiters.drain(..count).collect())
        };
        let lead = Lead { commit: self, waiters };
        self.writer.commit(&mut ops);
        for (op, waiter) in ops.into_iter().zip(&lead.waiters) {
            *waiter.result() = op.result;
        }
    }
}

/// How many of the ops make a batch: all, unless they are long.
fn batch_len(ops: &[Op]) -> usize {
    let mut bytes = 0;
    let fits = |op: &&Op| {
        bytes += op.key.len() + op.value.as_ref().map_or(0, String::len);
        bytes <= MAX_BATCH
    };
    ops.iter().take_while(fits).count().max(1)
}

/// The lead. However it ends, by a panic too, those whose writes it had are told, and the next one
/// takes it over: nobody waits for ever.
struct Lead<'a> {
    commit: &'a Commit,
    waiters: Vec<Arc<Waiter>>,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        for waiter in &self.waiters {
            if thread::panicking() {
                *waiter.result() = Err(KvsError::Stopped { reason: "the writer panicked".into() });
            }
            waiter.tell(DONE);
        }
        let mut queue = self.commit.queue();
        match queue.waiters.first() {
            Some(next) => next.tell(LEADING),
            None => queue.has_leader = false,
        }
    }
}
