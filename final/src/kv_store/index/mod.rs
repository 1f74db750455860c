//! Where the newest record of each key is: the index, and those who read through it.

pub(crate) mod keys;
pub(crate) mod segment_table;

use crate::Result;
use crate::kv_store::format::{Location, Record, Segment};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::fault;
use crate::sync::map::{Compute, HashMap, Operation};
use segment_table::SegmentTable;
use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

/// The longest value that is kept in its entry, in bytes: what fits beside the location without making
/// the entry longer than 40 bytes.
pub(crate) const INLINE: usize = 23;

/// The longest key that is kept in its entry, in bytes: what an allocator gives away with an entry that has one of 16.
const SHORT: usize = 30;

/// What an allocator takes for an entry with a short key, in bytes.
pub(crate) const ALLOCATED: usize = (size_of::<Key>() + size_of::<Entry>()).next_multiple_of(16);

/// How many entries a thread has replaced before it looks which of them it can free. Such a look stops all
/// cores for a moment (`membarrier`): two writers did 1.1 to 1.4 times as many sets with this as with the
/// 32 that is papaya's own.
#[cfg(not(loom))]
const RETIRED: usize = 128;

/// Where the newest record of each key is. Readers and writers share it without a lock.
///
/// The map replaces an entry in one step, so a reader finds the old one or the new one, and never
/// none. An entry that was replaced is freed after the last reader that found it has let go of its
/// pin.
pub(crate) struct Index {
    pub(crate) entries: HashMap<Key, Entry>,
    pub(crate) segments: Arc<SegmentTable>,
    /// The map's.
    pub(crate) hasher: RandomState,
    /// Bytes of records that no entry points to, in all segments. A hint for the compactor and a
    /// number for people; nothing else is concluded from it, so `Relaxed`. Below zero for a moment, in two's
    /// complement, when a compaction has taken from a segment's sum what is not yet added to this one.
    garbage: AtomicU64,
}

/// A key as the map has it: looked for, compared and hashed as its bytes. A short one is in the map's own allocation,
/// so it takes no other, and a look-up finds it beside the entry.
#[derive(PartialEq, Eq)]
pub(crate) enum Key {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(Box<[u8]>),
}

impl From<&str> for Key {
    fn from(key: &str) -> Key {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..key.len()) {
            Some(short) => short.copy_from_slice(key.as_bytes()),
            None => return Key::Long(key.as_bytes().into()),
        }
        Key::Short { len: key.len() as u8, bytes }
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        match self {
            Key::Short { len, bytes } => &bytes[..usize::from(*len)],
            Key::Long(bytes) => bytes,
        }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Borrow::<[u8]>::borrow(self).hash(state);
    }
}

/// All that a read needs; the segment by its number.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) segment: u64,
    pub(crate) offset: u32,
    pub(crate) len: u32,
    pub(crate) small: SmallValue,
}

/// A value that is short enough to be kept in memory; `len` is above [`INLINE`] if it is not.
#[derive(Clone, Copy)]
pub(crate) struct SmallValue {
    len: u8,
    bytes: [u8; INLINE],
}

impl SmallValue {
    fn new(value: Option<&str>) -> SmallValue {
        let mut bytes = [0; INLINE];
        let kept = value.and_then(|value| Some((bytes.get_mut(..value.len())?, value)));
        let len = kept.map_or(u8::MAX, |(kept, value)| {
            kept.copy_from_slice(value.as_bytes());
            value.len() as u8
        });
        SmallValue { len, bytes }
    }

    pub(crate) fn get(&self) -> Option<&str> {
        str::from_utf8(self.bytes.get(..self.len.into())?).ok()
    }
}

impl Entry {
    /// With its value, which may be left out if it is longer than [`INLINE`].
    pub(crate) fn new(segment: u64, offset: u32, len: u32, value: Option<&str>) -> Entry {
        Entry { segment, offset, len, small: SmallValue::new(value) }
    }
}

impl Index {
    pub(crate) fn new() -> Index {
        let hasher = RandomState::new();
        #[cfg(not(loom))]
        let entries = {
            let collector = seize::Collector::new().batch_size(RETIRED);
            HashMap::builder().collector(collector).hasher(hasher.clone()).build()
        };
        #[cfg(loom)]
        let entries = HashMap::default();
        Index {
            entries,
            hasher,
            segments: Arc::new(SegmentTable::new()),
            garbage: AtomicU64::new(0),
        }
    }

    /// Where in the table a key belongs: at this slot, if the table has more, or at what is left when it is
    /// divided by their number.
    pub(crate) fn slot(&self, key: &str) -> usize {
        self.hasher.hash_one(key.as_bytes()) as usize
    }

    /// The value of `key`, if it has one. It takes no lock.
    ///
    /// Between the two look-ups a compaction may move the key and delete the segment that the entry names. Then
    /// the segment isn't in the table any more, and this looks again. So each further look means that a whole step
    /// of the compactor has ended between two lines of this function: there are never more than a few. A segment
    /// that is found stays open until the value is read.
    pub(crate) fn get(&self, key: &str) -> Result<Option<String>> {
        let entries = self.entries.pin();
        loop {
            let Some(Entry { segment, offset, len, small }) = entries.get(key.as_bytes()) else {
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

    /// Lets readers find this record from now on.
    pub(crate) fn insert(&self, key: &str, entry: Entry) {
        fault!("an overwrite unlinks first", self.entries.pin().remove(key.as_bytes()));
        if let Some(old) = self.entries.pin().insert(key.into(), entry) {
            self.add_garbage(old.segment, old.len);
        }
    }

    /// Lets readers find no record from now on. The removal's own record is garbage from the start.
    pub(crate) fn remove(&self, key: &str, segment: u64, len: u32) {
        if let Some(old) = self.entries.pin().remove(key.as_bytes()) {
            self.add_garbage(old.segment, old.len);
        }
        self.add_removal(segment, len);
    }

    /// Whether the newest record of `key` is the one at `offset` of this segment.
    pub(crate) fn is_at(&self, key: &str, segment: u64, offset: u32) -> bool {
        let entries = self.entries.pin();
        entries.get(key.as_bytes()).is_some_and(|e| e.segment == segment && e.offset == offset)
    }

    /// Whether `key` has a value, and its record isn't behind this place in the order of the segments' numbers.
    pub(crate) fn is_not_behind(&self, key: &str, place: Location) -> bool {
        let entries = self.entries.pin();
        entries.get(key.as_bytes()).is_some_and(|entry| {
            let found = (entry.segment, entry.offset);
            fault!("a walk passes over a record that is being moved", {
                return found == (place.segment, place.offset);
            });
            found <= (place.segment, place.offset)
        })
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.entries.pin().contains_key(key.as_bytes())
    }

    /// Moves a key to a copy of its record, but only if its entry still points into one of the `old`
    /// segments: a newer write wins, and a removed key stays removed.
    pub(crate) fn move_out_of(&self, old: &HashSet<u64>, key: &str, copy: &Entry) {
        fault!("compaction looks, then moves", return self.look_then_move(old, key, copy));
        fault!("compaction moves what is there", return self.move_what_is_there(key, copy));
        fault!("compaction moves what is not there", return self.move_unless_newer(old, key, copy));
        // The closure runs again if another thread changes the entry between look and swap.
        let entries = self.entries.pin();
        let outcome = entries.compute(key.into(), |current| match current {
            Some((_, entry)) if old.contains(&entry.segment) => Operation::Insert(*copy),
            _ => Operation::Abort(()),
        });
        if !matches!(outcome, Compute::Updated { .. }) {
            self.add_garbage(copy.segment, copy.len);
        }
    }

    /// Counts a record that no entry points to any more, unless its segment is gone.
    pub(crate) fn add_garbage(&self, segment: u64, len: u32) {
        self.count(segment, len, Segment::add_garbage);
    }

    /// Counts the record of a removal.
    pub(crate) fn add_removal(&self, segment: u64, len: u32) {
        self.count(segment, len, Segment::add_removal);
    }

    fn count(&self, segment: u64, len: u32, add: fn(&Segment, u32) -> bool) {
        let segments = self.segments.pin();
        if segments.get(&segment).is_some_and(|segment| add(segment, len)) {
            self.garbage.fetch_add(len.into(), Ordering::Relaxed);
        }
    }

    /// Bytes of garbage that are gone for good.
    pub(crate) fn subtract_garbage(&self, bytes: u64) {
        self.garbage.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn garbage(&self) -> u64 {
        self.garbage.load(Ordering::Relaxed).cast_signed().max(0).cast_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Access, Disk, SimulatedDisk};
    use std::path::Path;

    #[test]
    fn garbage_of_a_segment_that_a_compaction_replaces_counts_no_more_and_is_never_below_zero() {
        let dir = SimulatedDisk::new().claim(Path::new("/"), Access::Write).unwrap();
        let (index, segment) = (Index::new(), Segment::create(&*dir, 1).unwrap());
        // The two halves of `add_garbage`, with a compaction between.
        assert!(segment.add_garbage(20));
        index.subtract_garbage(segment.take_garbage());
        assert_eq!(index.garbage(), 0);
        index.garbage.fetch_add(20, Ordering::Relaxed);
        assert_eq!(index.garbage(), 0);
        // A writer that had replaced an entry before, and says so only now.
        assert!(!segment.add_garbage(20));
    }
}
