//! What is a torn tail, and what is damage.
//!
//! Every segment but the newest was synced before the manifest called it finished, so whatever is
//! wrong in it is damage. The newest one may end in a *torn tail*: what was being written when the process
//! or the power failed. What that can be depends on the session (`manifest.rs`):
//!
//! - In the session in which the store was written, the operating system still has all that it was given. Only the
//!   last write can have ended early: behind whole records there is the beginning of one, and then
//!   nothing but zeros of reserved space. Everything else is damage. Of one record it can't be told that
//!   it is damaged: the last one, if that has changed its length or ends in a zero.
//! - After a restart, any part of what was not synced can be missing. But each record carries how far the
//!   segment was synced when it was written; so if a whole record behind the bad place knows that the bad
//!   place was durable before it, this is damage too. What no later record vouches for cannot be told
//!   from a torn tail and is truncated: at level `always` the last batch, at `interval` what came after the
//!   last sync that a write followed, at `os` the newest segment.
//!
//! Where the manifest names a segment's end, nothing was written behind it since: a segment is written to
//! only while the manifest calls it open, and is synced before it is called anything else. Zeros may
//! be there, of reserved space. Anything else means that the manifest is an older one than the segment.

use crate::Result;
use crate::kv_store::format::{Location, Segment, record};

/// How much is read at a time where zeros are expected.
const CHUNK: u32 = 1 << 20;

/// Whether what is at `bad`, where a record should be, can be a torn tail of the segment that was written to.
pub(crate) fn is_torn(
    segment: &Segment,
    bad: u32,
    end: u32,
    is_same_session: bool,
) -> Result<bool> {
    match is_same_session {
        true => is_unfinished(segment, bad, end),
        false => Ok(!is_followed(segment, bad, end, bad + 1)?),
    }
}

/// Whether a write that ended early can have left what is at `bad`: the last byte of the record is missing,
/// or is a zero of reserved space, and nothing is behind it.
fn is_unfinished(segment: &Segment, bad: u32, end: u32) -> Result<bool> {
    let header = bytes(segment, bad, end.min(bad.saturating_add(record::HEADER as u32)))?;
    let len = record::decode_len(&header).unwrap_or(record::HEADER) as u32;
    let last = end.min(bad.saturating_add(len - 1));
    // The length may be what is damaged, and the record reach over those behind it.
    Ok(first_nonzero(segment, last, end)?.is_none() && !is_followed(segment, bad, end, 0)?)
}

/// Whether there is a whole record behind `bad` that was written when at `least` so much was synced.
fn is_followed(segment: &Segment, bad: u32, end: u32, least: u32) -> Result<bool> {
    let rest = bytes(segment, bad, end)?;
    // Whoever wrote the values chose what is here. Headers that lead to nothing must not make
    // this take for ever: it gives up after as much work as reading the rest so many times.
    let mut budget = 16 * rest.len();
    for start in 0..rest.len() {
        let (offset, bytes) = (bad + start as u32, &rest[start..]);
        let (Ok(len), Some(synced)) = (record::decode_len(bytes), record::decode_synced(bytes))
        else {
            continue;
        };
        if len > bytes.len() || synced < least || synced > offset {
            continue;
        }
        let Some(left) = budget.checked_sub(len) else {
            return Ok(false);
        };
        budget = left;
        if record::decode_whole(bytes, Location { segment: segment.number, offset }).is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How long a torn tail is, without the zeros of reserved space.
pub(crate) fn torn_bytes(segment: &Segment, bad: u32, end: u32) -> Result<u64> {
    let rest = bytes(segment, bad, end)?;
    Ok(rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1))
}

/// The first byte that is more than a zero, between these offsets.
pub(crate) fn first_nonzero(segment: &Segment, from: u32, end: u32) -> Result<Option<u32>> {
    for start in (from..end).step_by(CHUNK as usize) {
        let bytes = bytes(segment, start, end.min(start.saturating_add(CHUNK)))?;
        if let Some(at) = bytes.iter().position(|byte| *byte != 0) {
            return Ok(Some(start + at as u32));
        }
    }
    Ok(None)
}

fn bytes(segment: &Segment, from: u32, end: u32) -> Result<Vec<u8>> {
    let mut bytes = vec![0; (end - from) as usize];
    segment.read_at(&mut bytes, from.into())?;
    Ok(bytes)
}
