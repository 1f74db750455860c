use crate::{KvsError, Result};
use serde::{Deserialize, Serialize};

/// A place where keys have values, shared by threads: each has a clone, and all clones are the same
/// place.
///
/// An engine has `set`, `get` and `remove`. What else it lacks answers [`KvsError::Unsupported`].
#[allow(clippy::len_without_is_empty)] // it can fail, and costs no less
pub trait KvsEngine: Clone + Send + 'static {
    /// Whether a `get` waits for others than this machine, so that a server begins it with
    /// [`KvsEngine::get_then`] and serves others meanwhile. Where a value is at hand that costs more than it gains.
    const GETS_WAIT: bool = false;

    /// Gives `key` the value. It is there for the next process too once this returns.
    fn set(&self, key: String, value: String) -> Result<()>;

    /// The value of `key`, if it has one.
    fn get(&self, key: String) -> Result<Option<String>>;

    /// Takes `key` and its value away.
    ///
    /// # Errors
    /// [`KvsError::KeyNotFound`] if it has none.
    fn remove(&self, key: String) -> Result<()>;

    /// Gives `key` the value `new` if its value is `expected`; `None` stands for no value. No other
    /// write of the key comes between the two.
    ///
    /// # Errors
    /// [`KvsError::Mismatch`] if the value is another.
    fn compare_and_set(
        &self,
        key: String,
        expected: Option<String>,
        new: Option<String>,
    ) -> Result<()> {
        let _ = (key, expected, new);
        Err(KvsError::Unsupported { what: "compare-and-set" })
    }

    /// Sets keys that have a value here, and removes those that have none, in this order. If it fails,
    /// or the process or the power does, all of it is there afterwards or nothing. To remove a key that is not
    /// there is no error here. A reader may see the first changes before the last ones.
    fn write_batch(&self, writes: Vec<(String, Option<String>)>) -> Result<()> {
        let _ = writes;
        Err(KvsError::Unsupported { what: "batch" })
    }

    /// How many keys have values. A server waits for this on an event loop, and for [`KvsEngine::keys`]: an engine
    /// that asks other machines holds up the loop until they answer, and the loop's other clients until the watchdog has
    /// given them to another one.
    fn len(&self) -> Result<u64> {
        Err(KvsError::Unsupported { what: "count of its keys" })
    }

    /// Some keys, at most `limit` (0 counts as 1), in no order: the first ones without a `cursor`, and with that of
    /// a [`Page`] those that come next. A walk over all pages returns every key that has a value throughout, and
    /// perhaps more than once; a key that comes or goes meanwhile it may return or not. A call does no more
    /// than a bounded piece of work, so a page may have no keys and be followed by another. Beside writers that never
    /// stop, a walk of [`KvStore`](crate::KvStore) ends only if they write fewer keys between two pages than `limit`:
    /// take some hundreds or more.
    ///
    /// # Errors
    /// [`KvsError::Cursor`] if the cursor is none of this engine's.
    fn keys(&self, cursor: Option<String>, limit: usize) -> Result<Page> {
        let _ = (cursor, limit);
        Err(KvsError::Unsupported { what: "list of its keys" })
    }

    /// As [`KvsEngine::get`], but need not wait for the answer: `done` is called with it, as the functions of a
    /// [`KvsEngine::round`] are. An engine whose gets wait keeps the order in which requests for a key were
    /// begun: this sees the writes before it that are still under way, and none that is begun after it.
    fn get_then(&self, key: String, done: impl FnOnce(Result<Option<String>>) + Send + 'static) {
        done(self.get(key));
    }

    /// A *round*: what an event loop has read at once. The writes are done one after the other or
    /// together, and each has its own result: what it would be if the caller had called `set`, `remove`,
    /// `compare_and_set` or `write_batch` for one after the other. So a comparison sees the
    /// writes before it. A round that is begun after the call for another one has returned happens after it.
    ///
    /// This need not wait until they are done: the function that comes with a write is called with what
    /// became of it, once, on whichever thread, perhaps before this returns. A reader sees the write from then on.
    /// The function must be quick and wait for nothing: not for another write, nor for a lock that somebody
    /// holds over one. It may run on a thread that is in a `set` of its own, and the ends of several
    /// writes may be told in another order than they were begun.
    ///
    /// By default one write after the other is done, and told.
    fn round<D: FnOnce(Result<()>) + Send + 'static>(
        &self,
        writes: impl IntoIterator<Item = (Write, D)>,
    ) {
        for (write, done) in writes {
            done(write.apply_to(self));
        }
    }

    /// As [`KvsEngine::set`], in a round of one.
    fn set_then(&self, key: String, value: String, done: impl FnOnce(Result<()>) + Send + 'static) {
        self.round([(Write::Set { key, value }, done)]);
    }

    /// What it says about itself: lines of a name, a space and a value, each ended by `\n`. An
    /// engine that has nothing to say says nothing, as here.
    fn stats_text(&self) -> String {
        String::new()
    }
}

/// A write, for [`KvsEngine::round`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// [`KvsEngine::set`].
    Set {
        /// The key.
        key: String,
        /// Its value from now on.
        value: String,
    },
    /// [`KvsEngine::remove`].
    Remove {
        /// The key.
        key: String,
    },
    /// [`KvsEngine::compare_and_set`].
    CompareAndSet {
        /// The key.
        key: String,
        /// The value that it must have.
        expected: Option<String>,
        /// Its value from now on.
        new: Option<String>,
    },
    /// [`KvsEngine::write_batch`].
    Batch(
        /// Keys, and the value that each has from now on.
        Vec<(String, Option<String>)>,
    ),
}

impl Write {
    /// Does it, and waits for it.
    ///
    /// # Errors
    /// Those of the engine's method.
    pub fn apply_to(self, engine: &impl KvsEngine) -> Result<()> {
        match self {
            Write::Set { key, value } => engine.set(key, value),
            Write::Remove { key } => engine.remove(key),
            Write::CompareAndSet { key, expected, new } => {
                engine.compare_and_set(key, expected, new)
            }
            Write::Batch(writes) => engine.write_batch(writes),
        }
    }

    /// The keys that it changes, and the value that each has from then on, in their order.
    pub fn changes(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let (one, many): (_, &[(String, Option<String>)]) = match self {
            Write::Set { key, value } => (Some((&**key, Some(&**value))), &[]),
            Write::Remove { key } => (Some((&**key, None)), &[]),
            Write::CompareAndSet { key, new, .. } => (Some((&**key, new.as_deref())), &[]),
            Write::Batch(writes) => (None, writes),
        };
        let many = many.iter().map(|(key, value)| (&**key, value.as_deref()));
        one.into_iter().chain(many)
    }

    /// The same.
    pub(crate) fn into_changes(self) -> impl Iterator<Item = (String, Option<String>)> {
        let (one, many) = match self {
            Write::Set { key, value } => (Some((key, Some(value))), Vec::new()),
            Write::Remove { key } => (Some((key, None)), Vec::new()),
            Write::CompareAndSet { key, new, .. } => (Some((key, new)), Vec::new()),
            Write::Batch(writes) => (None, writes),
        };
        one.into_iter().chain(many)
    }
}

/// Some of the keys: [`KvsEngine::keys`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The keys.
    pub keys: Vec<String>,
    /// For the next page; there is none behind the last one.
    pub cursor: Option<String>,
}
