//! Fills the index when a store is opened, on all cores.
//!
//! One thread reads the log and checks its records. What takes the time is to put them in the
//! index: each key is somewhere else in memory, and the thread waits for that. So the keys are
//! dealt out to threads by their hash. All records of a key go to the same thread and in the log's
//! order, so that the last one wins.
//!
//! A hint file beside each segment would spare only the reading and checking, the smaller part of the
//! work, and be one more thing that can be wrong: there is none.

use super::index::{Entry, Index};
use super::segment::{Found, Segment};
use crossbeam::channel::{Receiver, Sender, bounded};
use std::io;
use std::slice;
use std::sync::Arc;
use std::thread::{self, Scope};

/// How much goes to a thread at a time, in bytes of memory. A store with less needs no threads.
const BATCH: usize = 128 << 10;

/// How many batches may wait for each thread, so that the memory they take has a bound.
const QUEUED: usize = 32;

/// What a record says of its key.
enum Change {
    Set(Box<str>, Entry),
    /// With the segment and the length of the removal's own record.
    Remove(Box<str>, u64, u32),
}

/// Calls `read` with a function that takes each record it finds. When this returns, all of them are
/// in the index.
pub(super) fn fill<T>(
    index: &Index,
    read: impl FnOnce(&mut dyn FnMut(Found<'_>, &Arc<Segment>)) -> T,
) -> T {
    thread::scope(|scope| {
        let mut replay = Replay { index, scope, partitions: vec![Partition::default()] };
        let mut last = None;
        let result = read(&mut |found, segment| {
            if last.replace(segment.number) != Some(segment.number) {
                index.segments.add(slice::from_ref(segment));
            }
            if let Found::Record { record, offset, len } = found {
                let key = record.key.into();
                replay.push(match record.value {
                    Some(v) => Change::Set(key, Entry::new(segment.number, offset, len, v)),
                    None => Change::Remove(key, segment.number, len),
                });
            }
        });
        for partition in std::mem::take(&mut replay.partitions) {
            replay.hand_over(partition.batch, &partition.worker);
        }
        result
    })
}

struct Replay<'scope, 'env> {
    index: &'env Index,
    scope: &'scope Scope<'scope, 'env>,
    /// One without a thread at first; later as many as there are cores.
    partitions: Vec<Partition>,
}

/// What is done, one after the other, with a share of the keys.
#[derive(Default)]
struct Partition {
    batch: Vec<Change>,
    /// How much memory the batch takes.
    bytes: usize,
    worker: Option<Sender<Vec<Change>>>,
}

impl<'scope, 'env> Replay<'scope, 'env> {
    fn push(&mut self, change: Change) {
        let (Change::Set(key, _) | Change::Remove(key, _, _)) = &change;
        let hash = crc32fast::hash(key.as_bytes()) as usize;
        let partitions = self.partitions.len();
        let partition = &mut self.partitions[hash % partitions];
        partition.bytes += size_of::<Change>() + key.len();
        partition.batch.push(change);
        if partition.bytes >= BATCH {
            let next = Vec::with_capacity(partition.batch.len());
            let batch = std::mem::replace(&mut partition.batch, next);
            partition.bytes = 0;
            let worker = partition.worker.clone();
            self.hand_over(batch, &worker);
            if worker.is_none() {
                self.start();
            }
        }
    }

    fn hand_over(&self, batch: Vec<Change>, worker: &Option<Sender<Vec<Change>>>) {
        match worker {
            // It fails if the worker has panicked, and then the scope panics at its end.
            Some(worker) => drop(worker.send(batch)),
            None => apply(self.index, batch),
        }
    }

    /// Starts the threads. If the system refuses one, the work stays on this thread until the next
    /// batch is full.
    fn start(&mut self) {
        let partitions = (0..num_cpus::get()).map(|_| {
            let (worker, batches) = bounded(QUEUED);
            let index = self.index;
            let work = move || work(index, &batches);
            thread::Builder::new().name("kvs-replay".into()).spawn_scoped(self.scope, work)?;
            Ok(Partition { worker: Some(worker), ..Partition::default() })
        });
        if let Ok(partitions) = partitions.collect::<io::Result<_>>() {
            self.partitions = partitions;
        }
    }
}

fn work(index: &Index, batches: &Receiver<Vec<Change>>) {
    for batch in batches {
        apply(index, batch);
    }
}

fn apply(index: &Index, batch: Vec<Change>) {
    // Held for the batch, which makes the pins within it cheap.
    let _pin = index.entries.pin();
    for change in batch {
        match change {
            Change::Set(key, entry) => index.insert(key, entry),
            Change::Remove(key, segment, len) => index.remove(&key, segment, len),
        }
    }
}
