use crate::sync::{Mutex, MutexGuard, fault};
use std::sync::PoisonError;

/// How many there are: enough that two of a few dozen writers seldom want the same one.
const COUNT: usize = if cfg!(loom) { 4 } else { 256 };

/// Locks for keys: one for all keys whose hashes have the same remainder.
///
/// A writer holds the stripes of its keys from before its records have their places in the log until they
/// are in the index. So the index has the writes of a key in the log's order, what a writer finds
/// out about its keys stays true until it has published, and writers of other keys need not wait.
pub(crate) struct Stripes([Stripe; COUNT]);

/// On a cache line of its own: who takes one lock doesn't slow down who takes the next.
#[repr(align(64))]
#[derive(Default)]
struct Stripe(Mutex<()>);

/// The stripes of a few keys; the first apart, so that a write of one key allocates nothing.
pub(crate) struct StripesGuard<'a> {
    _first: Option<MutexGuard<'a, ()>>,
    _others: Vec<MutexGuard<'a, ()>>,
}

impl Stripes {
    pub(crate) fn new() -> Stripes {
        Stripes(std::array::from_fn(|_| Stripe::default()))
    }

    /// Locks the stripes of these keys, each once and in the order of their numbers, so that two writers
    /// never wait for each other.
    pub(crate) fn lock<'k>(&self, mut keys: impl Iterator<Item = &'k str>) -> StripesGuard<'_> {
        let number = |key: &str| crc32fast::hash(key.as_bytes()) as usize % COUNT;
        fault!("writers of one key do not wait", {
            return StripesGuard { _first: None, _others: Vec::new() };
        });
        let (first, second) = (keys.next(), keys.next());
        if second.is_none() {
            let first = first.map(|key| self.take(number(key)));
            return StripesGuard { _first: first, _others: Vec::new() };
        }
        let mut numbers: Vec<usize> =
            first.into_iter().chain(second).chain(keys).map(number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let others = numbers.into_iter().map(|number| self.take(number)).collect();
        StripesGuard { _first: None, _others: others }
    }

    /// Waits for each writer that has a stripe now. After that every record that had its place in the log
    /// before is in the index, or was told to have failed.
    pub(crate) fn pass(&self) {
        (0..COUNT).for_each(|number| drop(self.take(number)));
    }

    /// They protect no data of their own, so a panic under one leaves nothing half-done.
    fn take(&self, number: usize) -> MutexGuard<'_, ()> {
        self.0[number].0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
