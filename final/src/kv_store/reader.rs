use super::index::Index;
use crate::Result;
use std::sync::Arc;

/// The reading side of a store. It takes no lock and never has to try again.
pub(super) struct Reader {
    index: Arc<Index>,
}

impl Reader {
    pub(super) fn new(index: Arc<Index>) -> Reader {
        Reader { index }
    }

    /// The value of `key`, if it has one.
    ///
    /// The pin keeps the entry, and with it the open segment, until the value is read: an entry that
    /// is replaced meanwhile is freed after its last reader has let go.
    pub(super) fn get(&self, key: &str) -> Result<Option<String>> {
        let entries = self.index.entries.pin();
        let Some(entry) = entries.get(key) else {
            return Ok(None);
        };
        #[cfg(feature = "testing")]
        crate::sync_points::reach(crate::sync_points::Point::Read);
        entry.value()
    }
}
