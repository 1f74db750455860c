//! The end of the log: the segment that is written to, and the records that wait for their write.
//!
//! ```text
//!  segment:  header, records ...     | batch 7     | batch 8          |
//!                                 written         ...                end
//!                                    a leader       `queued`: takes
//!                                    writes it      records
//! ```

use crate::Result;
use crate::kv_store::commit::Op;
use crate::kv_store::format::{Location, Segment, record, segment};
use std::collections::HashMap;
use std::sync::Arc;

/// How much memory of a batch is kept for the next one, in bytes.
const KEPT: usize = 1 << 20;

pub(crate) struct Tail {
    pub(crate) segment: Arc<Segment>,
    /// Where the next record goes.
    pub(crate) end: u32,
    /// Bytes below this are in the file.
    pub(crate) written: u32,
    /// Bytes below this are durable.
    pub(crate) synced: u32,
    /// How long the file may be, reserved space included.
    pub(crate) reserved: u64,
    /// Whether the segment takes no more records, however short.
    pub(crate) is_full: bool,
    /// Whether the manifest called the segment open when it was opened; where it names an end, nothing may follow.
    is_open: bool,
    /// Records that have their places and wait for a leader.
    pub(crate) queued: Batch,
    /// The number of that batch.
    pub(crate) number: u64,
    /// The number of the first batch that isn't done: `number`, or the one before it, which a leader has.
    pub(crate) done: u64,
    /// How many followers sleep, of batches with even numbers, and of those with odd ones.
    pub(crate) sleeping: [usize; 2],
    /// How many threads sleep until nobody leads.
    pub(crate) waiting: usize,
    /// Whether a leader is at work.
    pub(crate) is_led: bool,
    /// The memory of a batch that is done.
    spare: Batch,
    /// What became of batches that could not be written as they were, until everyone has heard.
    outcomes: HashMap<u64, Outcomes>,
}

/// Records, one after the other as they will be in the segment.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    /// How long its units are: a unit is written or fails as a whole, and is one record or several.
    pub(crate) units: Vec<u32>,
}

/// Which units of which batch are somebody's.
pub(crate) struct Ticket {
    pub(crate) batch: u64,
    first: usize,
    count: usize,
}

/// Where each unit of a batch is, or why it is not there.
struct Outcomes {
    units: Vec<Result<u32>>,
    /// How many were not asked for yet.
    left: usize,
}

impl Tail {
    pub(crate) fn new(segment: Arc<Segment>, end: u32, is_open: bool) -> Tail {
        Tail {
            segment,
            end,
            written: end,
            synced: end,
            reserved: end.into(),
            is_full: false,
            is_open,
            queued: Batch::default(),
            number: 0,
            done: 0,
            sleeping: [0; 2],
            waiting: 0,
            is_led: false,
            spare: Batch::default(),
            outcomes: HashMap::new(),
        }
    }

    /// Goes on in a new segment. What was queued is written.
    pub(crate) fn begin(&mut self, segment: Arc<Segment>) {
        self.segment = segment;
        (self.end, self.written, self.synced) = (segment::HEADER, segment::HEADER, segment::HEADER);
        (self.reserved, self.is_full, self.is_open) = (segment::HEADER.into(), false, true);
    }

    /// Whether so many bytes of records go into this segment, which a single batch may make longer.
    pub(crate) fn has_room(&self, len: usize, segment_bytes: u32) -> bool {
        let fits = u64::from(self.end) + len as u64 <= segment_bytes.into();
        let may_grow = self.segment.is_current && self.is_open;
        may_grow && (self.end == segment::HEADER || fits && !self.is_full)
    }

    /// Gives each op that has not failed its place, and queues its record. They are one unit `together`, or
    /// each is one.
    pub(crate) fn push(&mut self, ops: &mut [Op], together: bool) -> Ticket {
        let (start, first) = (self.end, self.queued.units.len());
        for op in ops.iter_mut().filter(|op| op.result.is_ok()) {
            op.offset = self.end;
            let location = Location { segment: self.segment.number, offset: op.offset };
            record::encode_write(&mut self.queued.bytes, location, self.synced, &op.write);
            self.end += op.len() as u32;
            if !together {
                self.queued.units.push(op.len() as u32);
            }
        }
        if together {
            self.queued.units.push(self.end - start);
        }
        Ticket { batch: self.number, first, count: self.queued.units.len() - first }
    }

    /// The queued batch; from now on records go into the next one.
    pub(crate) fn take_batch(&mut self) -> Batch {
        self.number += 1;
        std::mem::replace(&mut self.queued, std::mem::take(&mut self.spare))
    }

    pub(crate) fn keep_memory(&mut self, mut batch: Batch) {
        batch.bytes.clear();
        batch.units.clear();
        batch.bytes.shrink_to(KEPT);
        self.spare = batch;
    }

    /// Removes what a failed write may have left behind the end of what is written.
    ///
    /// # Errors
    /// If that fails. Nothing may be written to the segment any more then.
    pub(crate) fn truncate_to_written(&mut self) -> std::io::Result<()> {
        self.segment.file.set_len(self.written.into())?;
        self.reserved = self.written.into();
        Ok(())
    }

    pub(crate) fn note_outcomes(&mut self, batch: u64, units: Vec<Result<u32>>) {
        if !units.is_empty() {
            let left = units.len();
            self.outcomes.insert(batch, Outcomes { units, left });
        }
    }

    /// What became of ops whose batch was not written as it was.
    pub(crate) fn take_outcomes(&mut self, ticket: &Ticket, ops: &mut [Op], together: bool) {
        let Some(outcomes) = self.outcomes.get_mut(&ticket.batch) else { return };
        let units = &outcomes.units[ticket.first..][..ticket.count];
        let mut before = 0;
        for (number, op) in ops.iter_mut().filter(|op| op.result.is_ok()).enumerate() {
            match &units[if together { 0 } else { number }] {
                Ok(start) => op.offset = start + if together { before } else { 0 },
                Err(error) => op.result = Err(error.clone()),
            }
            before += op.len() as u32;
        }
        outcomes.left -= ticket.count;
        if outcomes.left == 0 {
            self.outcomes.remove(&ticket.batch);
        }
    }
}
