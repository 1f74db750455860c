//! Chapter 6. Write `get_or_insert_with` over an `RwLock<HashMap>`: who finds the key shares the lock,
//! who does not computes the value and inserts it. Without a deadlock, and the value of a key is
//! computed once however many ask for it.
//!
//! The idea: an `RwLock` cannot be upgraded, so the read lock has to be let go before the write lock is
//! asked for; who asks with the first in hand waits for himself. Between the two another thread may
//! insert the key. So the question is asked again under the write lock, and only that answer counts.
//!
//! The value is computed under the write lock, which makes everybody wait. For a computation that
//! takes long the map would hold a `OnceLock` for each key, and the wait be for that key alone.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Values that are computed when they are asked for the first time.
#[derive(Default)]
pub(crate) struct Memo {
    /// A panic within the computation leaves the map as it was, so the poison is passed over.
    values: RwLock<HashMap<String, String>>,
}

impl Memo {
    pub(crate) fn get_or_insert_with(&self, key: &str, compute: impl FnOnce() -> String) -> String {
        self.get_or_insert(key, || {}, compute)
    }

    /// `between` is what happens to a thread that has found nothing, before it has the write lock.
    fn get_or_insert(
        &self,
        key: &str,
        between: impl FnOnce(),
        compute: impl FnOnce() -> String,
    ) -> String {
        // The guard ends with this statement. In the head of a `match` it would live until the end of
        // the match, and the write lock would be asked for with it in hand.
        let found = self.values.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        if let Some(value) = found {
            return value;
        }
        between();
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        // `entry` looks again.
        values.entry(key.to_owned()).or_insert_with(compute).clone()
    }
}

mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    #[test]
    fn what_was_computed_is_not_computed_again() {
        let memo = Memo::default();
        assert_eq!(memo.get_or_insert_with("key", || "value".to_owned()), "value");
        assert_eq!(memo.get_or_insert_with("key", || unreachable!("it is there")), "value");
    }

    /// All threads meet after they have found nothing: the worst that can happen to a check.
    #[test]
    fn many_threads_that_find_nothing_compute_once() {
        const THREADS: usize = 8;
        let memo = Memo::default();
        let (computed, all) = (AtomicUsize::new(0), Barrier::new(THREADS));
        thread::scope(|scope| {
            for number in 0..THREADS {
                let (memo, computed, all) = (&memo, &computed, &all);
                scope.spawn(move || {
                    let compute = || {
                        computed.fetch_add(1, Ordering::SeqCst);
                        format!("of thread {number}")
                    };
                    let meet = || {
                        all.wait();
                    };
                    let value = memo.get_or_insert("key", meet, compute);
                    let there = memo.get_or_insert_with("key", || unreachable!("it is there"));
                    assert_eq!(value, there);
                });
            }
        });
        assert_eq!(computed.into_inner(), 1);
    }

    #[test]
    fn a_computation_that_panics_leaves_the_next_one_its_chance() {
        let memo = Memo::default();
        let unlucky = || memo.get_or_insert_with("key", || panic!("the computation"));
        assert!(catch_unwind(AssertUnwindSafe(unlucky)).is_err());
        assert_eq!(memo.get_or_insert_with("key", || "value".to_owned()), "value");
    }
}
