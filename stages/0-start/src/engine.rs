use kvs_common::Result;

/// A place where keys have values.
pub trait KvsEngine {
    /// Gives `key` the value. It is there for the next process too once this returns.
    fn set(&mut self, key: String, value: String) -> Result<()>;

    /// The value of `key`, if it has one.
    fn get(&mut self, key: String) -> Result<Option<String>>;

    /// Takes `key` and its value away.
    ///
    /// # Errors
    /// [`KvsError::KeyNotFound`](kvs_common::KvsError::KeyNotFound) if it has none.
    fn remove(&mut self, key: String) -> Result<()>;
}
