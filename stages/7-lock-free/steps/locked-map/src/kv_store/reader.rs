use super::index::Index;
use kvs_common::{Result, Stats};
use std::sync::Arc;

/// The reading side of a store. It takes the lock of the index for one look.
#[derive(Clone)]
pub(super) struct Reader {
    index: Arc<Index>,
}

impl Reader {
    pub(super) fn new(index: Arc<Index>) -> Reader {
        Reader { index }
    }

    /// The value of `key`, if it has one.
    ///
    /// Its own copy of the entry keeps the log open until the value is read, whatever becomes of the
    /// index meanwhile.
    pub(super) fn get(&self, key: &str) -> Result<Option<String>> {
        let entry = self.index.entries().get(key).cloned();
        match entry {
            None => Ok(None),
            Some(entry) => entry.value(),
        }
    }

    pub(super) fn stats(&self) -> Stats {
        self.index.stats()
    }
}
