use crate::Result;

/// A place where keys have values, shared by threads: each has a clone, and all clones are the same
/// place.
pub trait KvsEngine: Clone + Send + 'static {
    /// Gives `key` the value. It is there for the next process too once this returns.
    fn set(&self, key: String, value: String) -> Result<()>;

    /// The value of `key`, if it has one.
    fn get(&self, key: String) -> Result<Option<String>>;

    /// Takes `key` and its value away.
    ///
    /// # Errors
    /// [`KvsError::KeyNotFound`](crate::KvsError::KeyNotFound) if it has none.
    fn remove(&self, key: String) -> Result<()>;

    /// As [`KvsEngine::set`], but need not wait until the write is done: `done` is called with what
    /// came of it, once, on whichever thread, perhaps before this returns. A write that
    /// is begun after the call that began another one has returned happens after it.
    ///
    /// `done` must be quick and wait for nothing: not for another write, nor for a lock that somebody
    /// holds over one. It may run on a thread that is in a `set` of its own, and the ends of several
    /// writes may be told in another order than they were begun.
    ///
    /// An engine that has nothing to wait for need not have it: by default it is `set`, then `done`.
    fn set_then(&self, key: String, value: String, done: impl FnOnce(Result<()>) + Send + 'static) {
        done(self.set(key, value));
    }

    /// As [`KvsEngine::remove`], in the manner of [`KvsEngine::set_then`].
    fn remove_then(&self, key: String, done: impl FnOnce(Result<()>) + Send + 'static) {
        done(self.remove(key));
    }

    /// What it says about itself: lines of a name, a space and a value, each ended by `\n`. An
    /// engine that has nothing to say says nothing, as here.
    fn stats_text(&self) -> String {
        String::new()
    }
}
