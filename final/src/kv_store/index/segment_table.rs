//! The open segments by their numbers, which is what the index has of them.
//!
//! If each entry of the index held its segment, a segment that was deleted would be open for as long as an
//! entry waits to be freed, which no thread does for another; and all writers would count on one counter.
//!
//! The table is replaced as a whole: seldom, when a segment is begun or deleted. Readers share it
//! without a lock. A table that was replaced is freed by the last reader that has it, and a segment is closed with
//! the last table that it is in.

use crate::kv_store::format::Segment;
use crate::sync::ArcSwap;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

type Segments = BTreeMap<u64, Arc<Segment>>;

pub(crate) struct SegmentTable(ArcSwap<Segments>);

impl SegmentTable {
    pub(crate) fn new() -> SegmentTable {
        SegmentTable(ArcSwap::from_pointee(Segments::new()))
    }

    /// The segments of this moment. They stay open until the pin is dropped.
    pub(crate) fn pin(&self) -> impl Deref<Target = Arc<Segments>> + '_ {
        self.0.load()
    }

    /// Adds segments, before an entry can point into one of them.
    pub(crate) fn add(&self, segments: &[Arc<Segment>]) {
        let new = |segment: &Arc<Segment>| (segment.number, Arc::clone(segment));
        self.change(|table| table.extend(segments.iter().map(new)));
    }

    /// Takes segments out, after the last entry that pointed into them is gone.
    pub(crate) fn remove(&self, segments: &[Arc<Segment>]) {
        self.change(|table| segments.iter().for_each(|s| drop(table.remove(&s.number))));
    }

    fn change(&self, change: impl Fn(&mut Segments)) {
        self.0.rcu(|table| {
            let mut table = Segments::clone(table);
            change(&mut table);
            table
        });
    }
}
