use super::{Entry, Index};
use crate::Result;
use crate::kv_store::format::record::Record;
use crate::sync::fault;

impl Index {
    /// The value of `key`, if it has one. It takes no lock.
    ///
    /// Between the two look-ups a compaction may move the key and delete the segment that the entry names. Then
    /// the segment isn't in the table any more, and this looks again. So each further look means that a whole step
    /// of the compactor has ended between two lines of this function: there are never more than a few. A segment
    /// that is found stays open until the value is read.
    pub(crate) fn get(&self, key: &str) -> Result<Option<String>> {
        let entries = self.entries.pin();
        loop {
            let Some(Entry { segment, offset, len, small }) = entries.get(key) else {
                return Ok(None);
            };
            #[cfg(feature = "testing")]
            crate::sync_points::reach(crate::sync_points::Point::Read);
            if let Some(value) = small.get() {
                return Ok(Some(value.to_owned()));
            }
            if let Some(segment) = self.segments.pin().get(segment) {
                let value = |record: Record<'_>| record.value.map(str::to_owned);
                return segment.read_record(*offset, *len, value);
            }
            fault!("a reader looks only once", return Ok(None));
        }
    }
}
