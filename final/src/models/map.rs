//! Stands for papaya's map, which loom cannot look into.
//!
//! What `final` relies on is kept: each operation is one step; `compute` is a compare-and-swap, whose
//! closure runs again if the entry has changed; an entry that was found stays until its pin is gone.
//! When the memory of an entry is freed is papaya's business and not modelled.

use super::sync::Mutex;
use std::borrow::Borrow;
use std::cell::OnceCell;
use std::collections;
use std::hash::Hash;
use std::sync::Arc;

pub(crate) struct HashMap<K, V>(Mutex<collections::HashMap<K, Arc<V>>>);

/// What a `compute` shall do.
pub(crate) enum Operation<V, T> {
    Insert(V),
    Abort(T),
}

/// What came of it.
pub(crate) enum Compute {
    Inserted,
    Updated {},
    Aborted,
}

/// Keeps all that was found through it.
pub(crate) struct Pin<'a, K, V> {
    map: &'a Mutex<collections::HashMap<K, Arc<V>>>,
    found: OnceCell<Box<Found<V>>>,
}

struct Found<V> {
    value: Arc<V>,
    before: OnceCell<Box<Found<V>>>,
}

impl<K: Eq + Hash, V> Default for HashMap<K, V> {
    fn default() -> Self {
        HashMap(Mutex::default())
    }
}

impl<K: Eq + Hash, V> HashMap<K, V> {
    pub(crate) fn pin(&self) -> Pin<'_, K, V> {
        Pin { map: &self.0, found: OnceCell::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl<K: Eq + Hash + Borrow<[u8]>, V> Pin<'_, K, V> {
    fn keep(&self, value: Arc<V>) -> &V {
        let mut place = &self.found;
        while let Some(found) = place.get() {
            place = &found.before;
        }
        &place.get_or_init(|| Box::new(Found { value, before: OnceCell::new() })).value
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        let value = self.map.lock().unwrap().get(key).cloned();
        value.map(|value| self.keep(value))
    }

    pub(crate) fn contains_key(&self, key: &[u8]) -> bool {
        self.map.lock().unwrap().contains_key(key)
    }

    pub(crate) fn insert(&self, key: K, value: V) -> Option<&V> {
        let old = self.map.lock().unwrap().insert(key, Arc::new(value));
        old.map(|old| self.keep(old))
    }

    pub(crate) fn remove(&self, key: &[u8]) -> Option<&V> {
        let old = self.map.lock().unwrap().remove(key);
        old.map(|old| self.keep(old))
    }

    pub(crate) fn compute<T>(
        &self,
        key: K,
        mut operation: impl FnMut(Option<(&K, &V)>) -> Operation<V, T>,
    ) -> Compute {
        loop {
            let current = self.map.lock().unwrap().get(key.borrow()).cloned();
            let new = match operation(current.as_deref().map(|value| (&key, value))) {
                Operation::Insert(value) => Arc::new(value),
                Operation::Abort(_) => return Compute::Aborted,
            };
            let mut map = self.map.lock().unwrap();
            if map.get(key.borrow()).map(Arc::as_ptr) == current.as_ref().map(Arc::as_ptr) {
                map.insert(key, new);
                return if current.is_some() { Compute::Updated {} } else { Compute::Inserted };
            }
        }
    }

    pub(crate) fn reserve(&self, _: usize) {}
}

/// Stands for the type of that name in the crate `arc-swap`.
pub(crate) struct ArcSwap<T>(Mutex<Arc<T>>);

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> ArcSwap<T> {
        ArcSwap(Mutex::new(Arc::new(value)))
    }

    #[allow(clippy::redundant_allocation)] // the crate's guard leads to an `Arc`, too
    pub(crate) fn load(&self) -> Box<Arc<T>> {
        Box::new(Arc::clone(&self.0.lock().unwrap()))
    }

    /// In one step, so that the closure never runs again.
    pub(crate) fn rcu(&self, change: impl Fn(&Arc<T>) -> T) {
        let mut value = self.0.lock().unwrap();
        *value = Arc::new(change(&value));
    }
}
