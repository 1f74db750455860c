//! The log: records are appended to it by any number of threads, and written by one at a time.
//!
//! A thread gives its record a place behind all others and queues the bytes (`tail.rs`). If no thread is
//! writing, it *leads*: it takes what is queued as one batch and writes it with one call. The records that
//! come meanwhile queue up for the next batch, whose leader is whichever of their threads is first to find that
//! nobody leads: the lead isn't handed over. A *follower* looks for that for about as long as a
//! write call takes, then it sleeps. So a batch is as large as the number of threads that came during the one
//! before; and a thread that is alone queues, leads, and waits for nobody.
//!
//! The log has no holes: a batch that can't be written is truncated away, its records are written one by one,
//! and so are those that had places behind it. Each thread is told what became of its own.

pub(crate) mod catalog;
mod lead;
mod seal;
pub(crate) mod tail;

use crate::kv_store::commit::Op;
use crate::kv_store::format::{Segment, segment};
use crate::kv_store::options::KvStoreOptions;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard, OnceLock, fault};
use crate::{KvsError, Result};
use catalog::Catalog;
use std::sync::{Arc, PoisonError};
use tail::Tail;

/// How often a follower looks before it goes to sleep: for about as long as a short write call takes.
const SPIN_LIMIT: u32 = if cfg!(loom) { 1 } else { 300 };

pub(crate) struct Log {
    pub(crate) options: KvStoreOptions,
    pub(crate) catalog: Catalog,
    /// Held for a push, for a look, and by whoever has the lead and changes the segment; not during the write
    /// of a batch.
    pub(crate) tail: Mutex<Tail>,
    /// Twice the number of the first batch that is not done, and one more while a leader is at work. Changed
    /// while `tail` is held, so that followers can look without it. `Release` and `Acquire`, so that
    /// who sees that a batch is done sees the bytes in the file, and `redone`.
    state: AtomicU64,
    /// Batches below this may have been redone, which the tail then knows. `Relaxed`: stored before `state`.
    redone: AtomicU64,
    /// Where followers sleep: those of batches with even numbers, and of those with odd numbers. At most two
    /// batches are under way.
    told: [Condvar; 2],
    /// Where threads sleep that want the tail for themselves.
    idle: Condvar,
    /// Held during a sync of the log, and until its failure is known in `stopped`.
    pub(crate) syncing: Mutex<()>,
}

impl Log {
    pub(crate) fn new(options: KvStoreOptions, catalog: Catalog, tail: Tail) -> Log {
        Log {
            options,
            catalog,
            tail: Mutex::new(tail),
            state: AtomicU64::new(0),
            redone: AtomicU64::new(0),
            told: [Condvar::new(), Condvar::new()],
            idle: Condvar::new(),
            syncing: Mutex::default(),
        }
    }

    /// No panic comes while the tail is half changed: what can panic goes through `catch`.
    pub(crate) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends the records of the ops that have not failed, and says in each where its record is, or why it
    /// could not be written: all `together`, or each by itself. They are in the file when this returns, at level
    /// `always` durably. Returns the segment's number.
    ///
    /// # Errors
    /// If none of them could be, because no segment has room for them.
    pub(crate) fn append(&self, ops: &mut [Op], together: bool) -> Result<u64> {
        let len = ops.iter().filter(|op| op.result.is_ok()).map(Op::len).sum();
        let mut tail = self.make_room(len)?;
        let segment = tail.segment.number;
        let ticket = tail.push(ops, together);
        fault!("found before it is written", return Ok(segment));
        if tail.is_led {
            drop(tail);
            self.follow(ticket.batch);
        } else {
            drop(self.lead(tail));
        }
        if self.redone.load(Ordering::Relaxed) > ticket.batch {
            self.tail().take_outcomes(&ticket, ops, together);
        }
        Ok(segment)
    }

    /// The tail, when its segment has room for so many bytes of records.
    fn make_room(&self, len: usize) -> Result<MutexGuard<'_, Tail>> {
        if u32::try_from(len).ok().and_then(|len| len.checked_add(segment::HEADER)).is_none() {
            return Err(KvsError::TooLarge { what: "batch", len, limit: u32::MAX as usize });
        }
        let mut tail = self.tail();
        loop {
            self.catalog.stopped.check()?;
            if tail.has_room(len, self.options.segment_bytes) {
                return Ok(tail);
            }
            let full = tail.segment.number;
            tail = self.finish_writes(tail, full);
            if tail.segment.number == full {
                self.rotate(&mut tail)?;
            }
        }
    }

    /// Of the segments with this number or a higher one the first, where it ends now, and whether it's the last.
    pub(crate) fn first_from(&self, number: u64) -> Option<(Arc<Segment>, u32, bool)> {
        // Both at one moment: what is overwritten between two looks would be behind the first and gone at the second.
        let tail = self.tail();
        let newest = (Arc::clone(&tail.segment), tail.written);
        let segments = self.catalog.lock();
        drop(tail);
        let all = segments.sealed.iter().chain([&newest]);
        let mut rest = all.filter(|(segment, _)| segment.number >= number);
        let (segment, end) = rest.clone().min_by_key(|(segment, _)| segment.number)?;
        Some((Arc::clone(segment), *end, rest.all(|(other, _)| other.number <= segment.number)))
    }

    /// Waits until nothing is queued for this segment and nobody leads, or leads to bring that about. The thread that
    /// has the tail then is alone with the segment, or another thread has begun the next one meanwhile.
    pub(crate) fn finish_writes<'a>(
        &'a self,
        mut tail: MutexGuard<'a, Tail>,
        number: u64,
    ) -> MutexGuard<'a, Tail> {
        let is_led = |tail: &mut Tail| tail.is_led && tail.segment.number == number;
        loop {
            if is_led(&mut tail) {
                tail.waiting += 1;
                let idle = self.idle.wait_while(tail, is_led);
                tail = idle.unwrap_or_else(PoisonError::into_inner);
                tail.waiting -= 1;
            } else if tail.segment.number != number || tail.queued.units.is_empty() {
                return tail;
            } else {
                tail = self.lead(tail);
            }
        }
    }

    /// Waits until a batch is done, which some thread may have to lead that waits like this one.
    fn follow(&self, batch: u64) {
        for _ in 0..SPIN_LIMIT {
            let state = self.state.load(Ordering::Acquire);
            if state >> 1 > batch {
                return;
            }
            if state & 1 == 0 {
                break;
            }
            std::hint::spin_loop();
        }
        let mut tail = self.tail();
        let place = (batch % 2) as usize;
        tail.sleeping[place] += 1;
        let told = self.told[place].wait_while(tail, |tail| tail.is_led && tail.done <= batch);
        tail = told.unwrap_or_else(PoisonError::into_inner);
        tail.sleeping[place] -= 1;
        if tail.done <= batch {
            drop(self.lead(tail));
        }
    }

    /// Lets followers see how far the log is.
    fn note_state(&self, tail: &Tail) {
        self.state.store(2 * tail.done + u64::from(tail.is_led), Ordering::Release);
    }

    /// Wakes those whose batch is done, and one of those that are queued, to lead. A call costs as much as
    /// a short write, so nobody is called who does not sleep.
    fn wake(&self, tail: &Tail) {
        fault!("followers are not woken", return);
        let queued = (!tail.queued.units.is_empty()).then_some(tail.number % 2);
        for (place, told) in (0..).zip(&self.told) {
            match tail.sleeping[place as usize] {
                0 => {}
                _ if queued == Some(place) => told.notify_one(),
                _ => told.notify_all(),
            }
        }
        if tail.waiting > 0 {
            self.idle.notify_all();
        }
    }
}

/// Why a store writes no more, once that is so. Set at most once, for good.
pub(crate) struct Stopped(OnceLock<String>);

impl Stopped {
    pub(crate) fn new() -> Stopped {
        Stopped(OnceLock::new())
    }

    /// Ends all writing, for good. A sync that failed is not tried again: the operating system may
    /// have dropped the bytes and would report success.
    pub(crate) fn stop(&self, reason: String) -> KvsError {
        let mut is_first = false;
        let reason = self.0.get_or_init(|| {
            is_first = true;
            reason
        });
        let stopped = KvsError::Stopped { reason: reason.clone() };
        if is_first {
            // Only now: whoever takes log lines may take his time.
            ::log::error!("{stopped}");
        }
        stopped
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self.reason() {
            None => Ok(()),
            Some(reason) => Err(KvsError::Stopped { reason: reason.clone() }),
        }
    }

    pub(crate) fn reason(&self) -> Option<&String> {
        self.0.get()
    }
}
