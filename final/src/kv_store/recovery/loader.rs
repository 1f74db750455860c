//! Fills the index when a store is opened, on all cores.
//!
//! One thread reads the log and checks its records. What takes the time is to put them in the index:
//! each key is somewhere else in a table that no cache holds. So the keys are dealt out by the region of
//! the table that they belong to, and many keys of a region are put there at once: after the first few
//! of them the region is in the cache. Each region has a thread that does this. All records of a key are
//! of one region and stay in the log's order, so that the last one wins.

use super::Files;
use crate::disk::Dir;
use crate::kv_store::format::{Hint, Note, Value, hint, segment};
use crate::kv_store::index::{ALLOCATED, Entry, Index};
use crate::sync::atomic::Ordering;
use crate::{KvsError, Result};
use crossbeam::channel::{Sender, bounded};
use std::hint::black_box;
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, Scope, ScopedJoinHandle};

/// How many records are read before there is a first look at how many will come. A store with less needs no
/// threads.
const FIRST_LOOK: u64 = 1 << 14;

/// See [`room`].
const AHEAD: u64 = 64;

/// Into how many regions the table is divided.
const REGIONS: usize = 64;

/// How much goes to a thread at a time, in bytes of memory.
const BATCH: usize = 256 << 10;

/// How many batches may wait for each thread, so that the memory they take has a bound.
const QUEUED: usize = 8;

/// How long the newest segment is at least, in bytes, if it is synced while the loader works.
const SYNCED_MEANWHILE: u32 = 1 << 20;

/// Records in the log's order, each with the number of its segment.
#[derive(Default)]
struct Batch {
    segments: Vec<u64>,
    notes: Hint,
}

/// Puts all records into the index, which is empty.
pub(crate) fn fill(
    index: &Index,
    dir: &dyn Dir,
    files: &mut Files,
    hint_eighths: u32,
) -> Result<()> {
    let segments: Vec<_> = files.segments.iter().map(|(segment, _)| Arc::clone(segment)).collect();
    index.segments.add(&segments);
    thread::scope(|scope| {
        let syncing = sync_newest(files, scope);
        let mut loader = Loader::new(index, files.bytes(), scope);
        for (place, segment) in segments.iter().enumerate() {
            let before = loader.read;
            let is_hinted = if let Some(hint) = files.hint(dir, place) {
                hint.notes().for_each(|note| loader.push(segment.number, &note));
                true
            } else {
                let mut size = 0;
                let mut records = files.records(place);
                while let Some((record, location, len)) = records.next()? {
                    let note = Note::of(&record, location.offset, len);
                    size += note.size();
                    loader.push(segment.number, &note);
                }
                // The last one goes on.
                let is_last = place + 1 == segments.len();
                !is_last && !hint::pays(size, files.segments[place].1, hint_eighths)
            };
            segment.is_hinted.store(is_hinted, Ordering::Relaxed);
            // What isn't records is the headers of batches.
            let records = (loader.read - before) as u32;
            let end = files.segments[place].1;
            index.add_garbage(segment.number, end - segment::HEADER - records);
        }
        loader.finish();
        // The next sync would not tell of it once more.
        syncing
            .map_or(Ok(()), |syncing| syncing.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Begins to sync the newest segment, for what the open shows must be durable. If it was written to just now, the disk
/// takes as long for that as the loader for all the rest.
fn sync_newest<'scope>(
    files: &Files,
    scope: &'scope Scope<'scope, '_>,
) -> Option<ScopedJoinHandle<'scope, Result<()>>> {
    let (newest, _) = files.segments.last().filter(|(_, end)| *end >= SYNCED_MEANWHILE)?;
    let newest = Arc::clone(newest);
    let sync = move || newest.file.sync().map_err(KvsError::at(&newest.path));
    thread::Builder::new().name("kvs-loader".into()).spawn_scoped(scope, sync).ok()
}

struct Loader<'scope, 'env> {
    index: &'env Index,
    scope: &'scope Scope<'scope, 'env>,
    /// How many bytes of records there are, and how many were read.
    bytes: u64,
    read: u64,
    records: u64,
    next_look: u64,
    /// One for each region of the table; at first only one.
    batches: Vec<Batch>,
    /// As a power of two, how long a region is, in slots.
    region_bits: u32,
    /// None at first, and if the system refuses threads; a region's is found by the remainder of its number.
    workers: Vec<Sender<Batch>>,
}

impl<'scope, 'env> Loader<'scope, 'env> {
    fn new(index: &'env Index, bytes: u64, scope: &'scope Scope<'scope, 'env>) -> Self {
        Loader {
            index,
            scope,
            bytes,
            read: 0,
            records: 0,
            next_look: FIRST_LOOK,
            batches: vec![Batch::default()],
            region_bits: 0,
            workers: Vec::new(),
        }
    }

    fn push(&mut self, segment: u64, note: &Note<'_>) {
        (self.records, self.read) = (self.records + 1, self.read + u64::from(note.len));
        let region = (self.index.slot(note.key) >> self.region_bits) % self.batches.len();
        let Batch { segments, notes } = &mut self.batches[region];
        segments.push(segment);
        notes.push(*note);
        if notes.size() + size_of_val(&segments[..]) >= BATCH {
            self.hand_over(region);
        }
        if self.records == self.next_look {
            self.look();
        }
    }

    fn hand_over(&mut self, region: usize) {
        let batch = std::mem::take(&mut self.batches[region]);
        match self.workers.len() {
            0 => put(self.index, &batch),
            // It fails if the worker has panicked, and then the scope panics at its end.
            workers => drop(self.workers[region % workers].send(batch)),
        }
    }

    /// Makes room for the records to come, if those are as long as the ones so far: a map that grows as it is
    /// filled is filled twice. The first time, divides it into regions.
    fn look(&mut self) {
        let index = self.index;
        self.next_look *= AHEAD;
        let to_come = self.bytes.saturating_sub(self.read) / (self.read / self.records);
        index.entries.pin().reserve(room(to_come, index.entries.len()));
        if self.batches.len() == 1 {
            self.hand_over(0);
            let slots = ((self.records + to_come) * 4 / 3).next_power_of_two();
            self.region_bits = slots.ilog2().saturating_sub(REGIONS.ilog2());
            self.batches.resize_with(REGIONS, Batch::default);
            self.start();
        }
    }

    /// Starts the threads. If the system refuses one, all of the work is this thread's.
    fn start(&mut self) {
        let index = self.index;
        let workers = (0..num_cpus::get()).map(|_| {
            let (worker, batches) = bounded::<Batch>(QUEUED);
            let work = move || batches.iter().for_each(|batch| put(index, &batch));
            thread::Builder::new().name("kvs-loader".into()).spawn_scoped(self.scope, work)?;
            Ok(worker)
        });
        self.workers = workers.collect::<io::Result<_>>().unwrap_or_default();
    }

    fn finish(&mut self) {
        (0..self.batches.len()).for_each(|region| self.hand_over(region));
    }
}

/// For how many keys there should be room: for the records to come, but only for a multiple of the keys that were
/// found, of which the first ones may still be on their way to the index.
fn room(records: u64, found: usize) -> usize {
    records.min(AHEAD * FIRST_LOOK.max(found as u64)) as usize
}

fn put(index: &Index, batch: &Batch) {
    // glibc makes the heap of such a thread longer by a page at a time, with a system call that other threads wait
    // for; and by all of this at once, which it then has.
    drop(black_box(Vec::<u8>::with_capacity(ALLOCATED * batch.segments.len())));
    // Held for the batch, which makes the pins within it cheap.
    let _pin = index.entries.pin();
    let notes = batch.segments.iter().zip(batch.notes.notes());
    for (&segment, Note { offset, len, key, value }) in notes {
        let insert = |value| index.insert(key, Entry::new(segment, offset, len, value));
        match value {
            Value::Removed => index.remove(key, segment, len),
            Value::Kept(value) => insert(Some(value)),
            Value::Long => insert(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_all_records_to_come_but_only_for_a_multiple_of_the_keys_found() {
        assert_eq!(room(1_000_000, 0), 1_000_000);
        let multiple = (AHEAD * FIRST_LOOK) as usize;
        assert_eq!(room(u64::MAX, 0), multiple);
        assert_eq!(room(u64::MAX, multiple), AHEAD as usize * multiple);
    }
}
