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

    /// What it says about itself: lines of a name, a space and a value, each ended by `\n`. An
    /// engine that has nothing to say says nothing, as here.
    fn figures(&self) -> String {
        String::new()
    }
}
