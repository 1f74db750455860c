use kvs_common::Result;

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
    /// [`KvsError::KeyNotFound`](kvs_common::KvsError::KeyNotFound) if it has none.
    fn remove(&self, key: String) -> Result<()>;
}
