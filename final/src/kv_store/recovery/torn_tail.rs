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
//! What is looked for behind a bad place may also be in a value, for a client can put the bytes of a whole record there.
//! As far as the bad record reaches by its own header, a record is evidence only if its header can't be text, as keys
//! and values are; or if the bad record is whole with one bit flipped back, which may be one of its length. So a value
//! can't make a write that ended early in it pass for damage, and a bit flipped in a length makes no record behind it
//! vanish. (Two bits may, if the length reaches over all that follows and no header there is other than text.)
//! Behind that, or if the header is lost, nothing says what was a value. There any whole record is evidence, and the
//! store is refused: a refusal loses nothing.
//!
//! Where the manifest names a segment's end, nothing was written behind it since: a segment is written to
//! only while the manifest calls it open, and is synced before it is called anything else. Zeros may
//! be there, of reserved space. Anything else means that the manifest is an older one than the segment.

use super::salvage::{may_be_text, mend};
use crate::Result;
use crate::kv_store::format::{Location, Segment, record};
use std::cell::LazyCell;

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
    let location = |start: usize| Location { segment: segment.number, offset: bad + start as u32 };
    let own_len = record::decode_len(&rest).unwrap_or(0);
    // Once: it takes long, and there may be many records in a value.
    let is_bit_flipped = LazyCell::new(|| mend(&mut rest.clone(), location(0)));
    let is_own = |start: usize| {
        start < own_len && may_be_text(&rest[start..start + record::HEADER]) && !*is_bit_flipped
    };
    // Whoever wrote the values chose what is here. Headers that lead to nothing must not make
    // this take for ever: it gives up after as much work as reading the rest so many times.
    let mut budget = 16 * rest.len();
    for start in record::HEADER..rest.len() {
        let bytes = &rest[start..];
        let (Ok(len), Some(synced)) = (record::decode_len(bytes), record::decode_synced(bytes))
        else {
            continue;
        };
        if len > bytes.len() || synced < least || synced > location(start).offset {
            continue;
        }
        let Some(left) = budget.checked_sub(len) else {
            return Ok(false);
        };
        budget = left;
        if record::decode_whole(bytes, location(start)).is_ok() && !is_own(start) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Access, Disk, SimulatedDisk};
    use crate::kv_store::format::Record;
    use crate::kv_store::format::segment::HEADER;
    use std::path::Path;

    fn encoded(behind: usize, value: &str) -> Vec<u8> {
        let location = Location { segment: 1, offset: HEADER + behind as u32 };
        let (mut bytes, synced) = (Vec::new(), HEADER + 1);
        record::encode(&mut bytes, location, &Record { synced, key: "k", value: Some(value) });
        bytes
    }

    /// A record that is whole so far behind the first one, and is text, or has a header that is none.
    fn other(behind: usize, is_text: bool) -> Vec<u8> {
        let is_wanted = |bytes: &Vec<u8>| match is_text {
            true => str::from_utf8(bytes).is_ok(),
            false => !may_be_text(&bytes[..record::HEADER]),
        };
        (0..).map(|value| encoded(behind, &value.to_string())).find(is_wanted).unwrap()
    }

    fn is_torn_in(bytes: &[u8], is_same_session: bool) -> bool {
        let dir = SimulatedDisk::new().claim(Path::new("/"), Access::Write).unwrap();
        let segment = Segment::create(&*dir, 1).unwrap();
        segment.file.write_at(bytes, HEADER.into()).unwrap();
        is_torn(&segment, HEADER, HEADER + bytes.len() as u32, is_same_session).unwrap()
    }

    #[test]
    fn a_record_in_the_value_of_a_torn_one_is_no_evidence_and_one_behind_a_flipped_length_is() {
        let prefix = record::HEADER + "k---".len();
        let forged = String::from_utf8(other(prefix, true)).unwrap();
        let whole = encoded(0, &format!("---{forged}{}", "-".repeat(100)));
        let cut = &whole[..whole.len() - 50];
        let headless = [&[0; record::HEADER], &cut[record::HEADER..]].concat();
        // Bytes 8 to 11 are the value's length, 12 and 13 the key's.
        let flipped = |is_text, flipped: &[usize]| {
            let first = encoded(0, "value");
            let mut bytes = [&*first, &other(first.len(), is_text)].concat();
            flipped.iter().for_each(|at| bytes[*at] ^= 1);
            bytes
        };
        for (what, bytes, is_torn) in [
            ("a value was cut", cut.to_vec(), true),
            ("and its header is lost", headless, false),
            ("a long value", flipped(true, &[9]), false),
            ("a long key", flipped(true, &[13]), false),
            ("both, and what follows is no text", flipped(false, &[9, 13]), false),
        ] {
            for is_same_session in [true, false] {
                let found = is_torn_in(&bytes, is_same_session);
                assert_eq!(found, is_torn, "{what}, {is_same_session}");
            }
        }
    }
}
