//! Chapter 7. The readers of the store share nothing that changes. Count the reads, over all handles,
//! without making them share something: one atomic counter for all would be a cache line that every
//! read takes away from the core that read last.
//!
//! The idea: each handle has a counter of its own, on a cache line of its own, and the sum is made
//! when somebody asks. The list of counters has a lock, which a handle takes when it is made and when
//! it goes; a read does not.
//!
//! `Relaxed` suffices: a count is added to and looked at for its own sake, and nothing else is concluded
//! from it. What a thread has counted before it is joined, the one that joins it sees, because the join
//! orders the two. The sum is no snapshot: reads that go on meanwhile are in it or not.

use lock_free::{KvStore, KvsEngine, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// A counter that shares its cache line with nothing. 128 bytes: the usual line has 64, and some
/// processors fetch two at a time.
#[derive(Default)]
#[repr(align(128))]
struct Padded(AtomicU64);

/// The counters of all handles.
#[derive(Default)]
struct Counters {
    of_handles: Vec<Arc<Padded>>,
    /// What the handles have counted that are gone.
    of_others: u64,
}

/// A store that counts how often it is read. Its clones are the same store; a thread should have one
/// of its own.
pub(crate) struct CountedReads {
    store: KvStore,
    /// This handle's own counter.
    reads: Arc<Padded>,
    /// Held for a change of the list or a sum. Nobody panics with it, so it is never poisoned.
    counters: Arc<Mutex<Counters>>,
}

impl CountedReads {
    pub(crate) fn new(store: KvStore) -> CountedReads {
        CountedReads::with(store, Arc::default())
    }

    fn with(store: KvStore, counters: Arc<Mutex<Counters>>) -> CountedReads {
        let reads = Arc::<Padded>::default();
        counters.lock().unwrap().of_handles.push(Arc::clone(&reads));
        CountedReads { store, reads, counters }
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap()
    }

    /// An addition and not a load and a store: nothing keeps threads from sharing a handle.
    fn count(&self) {
        self.reads.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many reads there were, through all handles.
    pub(crate) fn reads(&self) -> u64 {
        let counters = self.counters();
        let of_handle = |counter: &Arc<Padded>| counter.0.load(Ordering::Relaxed);
        counters.of_others + counters.of_handles.iter().map(of_handle).sum::<u64>()
    }
}

impl Clone for CountedReads {
    fn clone(&self) -> CountedReads {
        CountedReads::with(self.store.clone(), Arc::clone(&self.counters))
    }
}

impl Drop for CountedReads {
    /// A server makes a handle for each connection: those that are gone must not stay in the list.
    fn drop(&mut self) {
        let mut counters = self.counters();
        counters.of_handles.retain(|counter| !Arc::ptr_eq(counter, &self.reads));
        counters.of_others += self.reads.0.load(Ordering::Relaxed);
    }
}

impl KvsEngine for CountedReads {
    fn set(&self, key: String, value: String) -> Result<()> {
        self.store.set(key, value)
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        self.count();
        self.store.get(key)
    }

    fn remove(&self, key: String) -> Result<()> {
        self.store.remove(key)
    }
}

mod tests {
    use super::*;
    use std::thread;
    use tempfile::TempDir;

    const THREADS: usize = 4;
    const READS: u64 = 1000;

    fn read(store: &CountedReads) {
        for _ in 0..READS {
            assert_eq!(store.get("key".to_owned()).unwrap(), None);
        }
    }

    #[test]
    fn every_read_of_every_handle_is_counted() {
        let dir = TempDir::new().unwrap();
        let store = CountedReads::new(KvStore::open(dir.path()).unwrap());
        read(&store);
        let handles = [(); THREADS].map(|()| store.clone());
        let readers = handles.map(|handle| {
            thread::spawn(move || {
                read(&handle);
                handle
            })
        });
        let handles = readers.map(|reader| reader.join().unwrap());
        let all = (THREADS as u64 + 1) * READS;
        assert_eq!(store.reads(), all);
        drop(handles);
        assert_eq!(store.reads(), all, "a handle that goes takes nothing with it");
        assert_eq!(store.counters().of_handles.len(), 1, "and leaves nothing behind");
    }

    #[test]
    fn threads_that_share_a_handle_lose_no_count() {
        let dir = TempDir::new().unwrap();
        let store = CountedReads::new(KvStore::open(dir.path()).unwrap());
        thread::scope(|scope| {
            for _ in 0..THREADS {
                // Only the counting, so that the threads get in each other's way all the time.
                scope.spawn(|| (0..1000 * READS).for_each(|_| store.count()));
            }
        });
        assert_eq!(store.reads(), THREADS as u64 * 1000 * READS);
    }

    #[test]
    fn no_two_counters_share_a_cache_line() {
        let dir = TempDir::new().unwrap();
        let store = CountedReads::new(KvStore::open(dir.path()).unwrap());
        let handles = [(); THREADS].map(|()| store.clone());
        let mut lines = handles.each_ref().map(|handle| Arc::as_ptr(&handle.reads).addr() / 128);
        lines.sort_unstable();
        assert!(lines.windows(2).all(|pair| pair[0] != pair[1]), "{lines:?}");
        assert_eq!(size_of::<Padded>(), 128, "nothing else is on the line");
    }
}
