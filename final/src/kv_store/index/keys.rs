//! The keys, page by page: a walk through the log that returns the keys of the records that count.
//!
//! The index can't be read in parts: a map that grows meanwhile has no place to go on from. The log can, because
//! a key's record never moves back in it. An overwrite goes to the end, and a copy that a compaction makes goes
//! into a segment with a higher number than those that it is from. So a key that has a value throughout is ahead of
//! a walk by the segments' numbers until the walk returns it. A cursor is a place in the log.
//!
//! A walk ends where the log ends *then*, and not where it ended when the walk began: a key that was overwritten
//! meanwhile is behind that end, and its old record, which the walk hadn't reached, may be gone with a compaction. So
//! a walk goes on for as long as more keys are written between two pages than a page returns.

use super::Index;
use crate::kv_store::format::{Scan, segment};
use crate::kv_store::log::Log;
use crate::{KvsError, Page, Result};
use std::hash::BuildHasher;

/// How many bytes of records one page reads, and how many of them a segment counts for beside its records.
const MAX_READ: u32 = 1 << 20;
const EACH_SEGMENT: u32 = 4 << 10;
/// How much is read at a time, in bytes.
const CHUNK: usize = 64 << 10;

/// Where a walk goes on.
#[derive(Clone, Copy, Hash)]
struct Cursor {
    segment: u64,
    offset: u32,
    /// Where the batch ends that this is in, if it is in one.
    batch_end: u32,
}

const START: Cursor = Cursor { segment: 0, offset: segment::HEADER, batch_end: 0 };

/// One page: at most `limit` keys, and about a megabyte of the log, or one record that is longer.
pub(crate) fn page(log: &Log, index: &Index, from: Option<String>, limit: usize) -> Result<Page> {
    let limit = limit.max(1);
    let mut at = from.map_or(Ok(START), |cursor| Cursor::parse(cursor, index))?;
    let (mut keys, mut left) = (Vec::new(), MAX_READ);
    while keys.len() < limit && left > 0 {
        let Some((segment, end, is_last)) = log.first_from(at.segment) else { break };
        if segment.number != at.segment {
            at = Cursor { segment: segment.number, ..START };
        }
        if at.offset == end {
            if is_last {
                return Ok(Page { keys, cursor: None });
            }
            at = Cursor { segment: at.segment + 1, ..START };
            continue;
        }
        left = left.saturating_sub(EACH_SEGMENT);
        let mut scan = Scan::resume(&segment, (at.offset, at.batch_end), end, CHUNK);
        while keys.len() < limit && left > 0 {
            let Some((record, location, len)) = scan.next_whole()? else { break };
            left = left.saturating_sub(len);
            if record.value.is_some() && index.is_not_behind(record.key, location) {
                keys.push(record.key.to_owned());
            }
        }
        (at.offset, at.batch_end) = scan.position();
    }
    Ok(Page { keys, cursor: Some(at.to_text(index)) })
}

impl Cursor {
    /// With a hash that only this open of the store can make.
    fn to_text(self, index: &Index) -> String {
        let Cursor { segment, offset, batch_end } = self;
        format!("{segment}.{offset}.{batch_end}.{:x}", index.hasher.hash_one(self))
    }

    /// With the cursor of an earlier open the walk begins anew.
    fn parse(text: String, index: &Index) -> Result<Cursor> {
        let numbers: Option<Vec<u64>> =
            text.splitn(4, '.').take(3).map(|number| number.parse().ok()).collect();
        let Some([segment, offset, batch_end]) = numbers.as_deref() else {
            return Err(KvsError::Cursor { cursor: text });
        };
        let [offset, batch_end] = [offset, batch_end].map(|number| *number as u32);
        let cursor = Cursor { segment: *segment, offset, batch_end };
        Ok(if cursor.to_text(index) == text { cursor } else { START })
    }
}
