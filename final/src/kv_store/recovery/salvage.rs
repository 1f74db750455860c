//! Saves what is whole in a store that is refused for damage.
//!
//! What follows a damaged record must be found again. Whoever writes values can put the bytes of a whole
//! record into one, with its checksum for the place where it will be: so what is found by looking at each
//! byte is no record yet. There are two ways to be sure.
//!
//! - If one bit was flipped, the checksum says which ([`mend`]), in a short record and in a header.
//!   The record is saved as it was.
//! - Else the next record counts whose header cannot be text. Keys and values are UTF-8, so such bytes are
//!   not in the middle of one. At least five of six headers are like that; whole records before the first
//!   of them are given up, and reported with the damage.
//!
//! A batch is saved as a whole or not at all: a record in it is none without the batch's checksum.
//!
//! That holds for accidents: who can foresee where the damage begins and ends can make more of it.
//!
//! A key whose newest record is lost has its older value again, and a removed one its last value, if the
//! record of that is still there: as in a store whose newest writes were lost.
//!
//! Without a manifest, or with one that is older than a segment, all segments are read, in the order that
//! they must have been in, which is that of their numbers. In stores of versions before `catalog::SPACING`
//! a compaction's copies were first, though their numbers were higher than those of segments that were
//! written to meanwhile. Copies are told by their records, which know of no sync. What
//! an interrupted compaction has left, in whole or without its oldest segments, changes nothing in that
//! order.

use super::orphans::find_orphans;
use crate::KvStore;
use crate::disk::{Access, Dir, Disk};
use crate::kv_store::format::{Location, Manifest, Record, Segment, manifest, record, segment};
use crate::kv_store::log::catalog::SPACING;
use crate::{KvsEngine, KvsError, Result};
use std::ops::Range;
use std::path::Path;

/// How much is given up where the disk cannot read, in bytes.
const BLOCK: usize = 4 << 10;
/// The longest record that is mended in any place, in bytes. Other damage to one so short looks like a
/// flipped bit once in 100,000 times at most, and two flipped bits never do.
const MENDED: usize = 4 << 10;

/// Does to the store that `open` opens, an empty one, all that the records of the store in `dir` say which
/// are as they were written, in their order. Changes nothing in `dir`; the store there must not be open.
/// Takes memory for a segment at a time, beside what the new store takes.
///
/// Calls `found` for whatever is not as it should be: with the file, the bytes in it that are given up (none
/// where a record was mended), and the reason.
///
/// Returns the new store, in which all of that is durable, and how many records it was.
///
/// # Errors
/// If there are no segments; if they are of a later format; if the store is in use; those of the new one.
pub fn salvage(
    disk: &dyn Disk,
    dir: &Path,
    open: impl FnOnce() -> Result<KvStore>,
    mut found: impl FnMut(&Path, Range<u64>, &str),
) -> Result<(KvStore, u64)> {
    let dir = &*disk.claim(dir, Access::Read)?;
    let names = dir.list().map_err(KvsError::at(dir.path()))?;
    let mut there: Vec<u64> = names.iter().filter_map(|name| segment::number_of(name)).collect();
    let path = dir.path().join(manifest::NAME);
    // One that is older than a segment does not name all.
    let is_up_to_date = |manifest: &Manifest| match find_orphans(dir, manifest) {
        Ok(_) | Err(KvsError::Damaged { offset: 0, .. }) => Ok(()),
        Err(error) => Err(error),
    };
    let manifest = Manifest::read(dir)
        .and_then(|manifest| manifest.iter().try_for_each(is_up_to_date).map(|()| manifest));
    let segments = match manifest {
        Ok(Some(manifest)) => {
            there.retain(|number| manifest.segments.iter().all(|(named, _)| named != number));
            for number in there {
                let path = dir.path().join(segment::name(number));
                found(&path, 0..0, "not read: the manifest does not name it");
            }
            manifest.segments
        }
        Err(error @ KvsError::Format { .. }) => return Err(error),
        _ if there.is_empty() => {
            return Err(KvsError::NoStore { dir: dir.path().to_owned() });
        }
        bad => {
            let reason = bad.err().map_or("it is missing".to_owned(), reason);
            found(&path, 0..0, &format!("{reason}; all segments are read"));
            let mut in_order = Vec::with_capacity(there.len());
            for number in there {
                let mut synced = None;
                let note = |record: Record<'_>| {
                    synced = synced.or(Some(record.synced));
                    Ok(())
                };
                each_record(dir, number, None, |_, _, _| (), note)?;
                in_order.push((synced != Some(0), number));
            }
            let is_spaced = |(is_own, number): &(bool, u64)| *is_own && number % SPACING == 0;
            if in_order.iter().any(is_spaced) {
                in_order.sort_unstable_by_key(|(_, number)| *number);
            } else {
                in_order.sort_unstable();
            }
            in_order.into_iter().map(|(_, number)| (number, None)).collect()
        }
    };
    let (to, mut records) = (open()?, 0);
    for (number, end) in segments {
        each_record(dir, number, end, &mut found, |record| {
            records += 1;
            let key = record.key.to_owned();
            match record.value {
                Some(value) => to.set(key, value.to_owned()),
                None => to.remove(key).or_else(|error| match error {
                    KvsError::KeyNotFound => Ok(()),
                    error => Err(error),
                }),
            }
        })?;
    }
    to.sync()?;
    Ok((to, records))
}

/// Calls `take` with each record of a segment that can be trusted. Its named end only says what should be
/// there at least.
fn each_record(
    dir: &dyn Dir,
    segment: u64,
    end: Option<u32>,
    mut found: impl FnMut(&Path, Range<u64>, &str),
    mut take: impl FnMut(Record<'_>) -> Result<()>,
) -> Result<()> {
    let path = dir.path().join(segment::name(segment));
    let mut found = |range: Range<usize>, reason: &str| {
        found(&path, range.start as u64..range.end as u64, reason);
    };
    match Segment::open(dir, segment, Access::Read) {
        Err(error @ KvsError::Format { .. }) => return Err(error),
        Err(error) => found(0..segment::HEADER as usize, &reason(error)),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    if let Ok(file) = dir.open(&segment::name(segment), Access::Read) {
        bytes.resize(file.len().map_err(KvsError::at(&path))? as usize, 0);
        for (number, block) in bytes.chunks_mut(BLOCK).enumerate() {
            let start = number * BLOCK;
            if let Err(error) = file.read_at(block, start as u64) {
                block.fill(0);
                found(start..start + block.len(), &error.to_string());
            }
        }
    }
    let named = end.map_or(0, |end| end as usize);
    if named > bytes.len() {
        found(bytes.len()..named, "the end is missing");
    }
    // Zeros behind it are space that was reserved.
    let last = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let end = last.max(named.min(bytes.len()));
    let mut at = segment::HEADER as usize;
    while at < end {
        let location = Location { segment, offset: at as u32 };
        let reason = match record::decode_whole(&bytes[at..], location) {
            Ok((records, len)) => {
                records.into_iter().try_for_each(&mut take)?;
                at += len;
                continue;
            }
            Err(reason) => reason,
        };
        if mend(&mut bytes[at..], location) {
            found(at..at, "a bit was flipped; the record is mended and saved");
            continue;
        }
        let mut rest = at + record::HEADER..end;
        let next = rest.find(|at| is_trusted(&bytes, segment, *at)).unwrap_or(end);
        found(at..next, reason);
        at = next;
    }
    Ok(())
}

/// Whether a record starts here that is not part of a key or a value. One that starts in the last bytes
/// of a value, or in a header, has the true one too near to it.
fn is_trusted(bytes: &[u8], segment: u64, at: usize) -> bool {
    let is_whole = |at: usize| {
        record::decode_whole(&bytes[at..], Location { segment, offset: at as u32 }).is_ok()
    };
    let header = &bytes[at..(at + record::HEADER).min(bytes.len())];
    let near = at + 1 - record::HEADER..at + record::HEADER;
    record::decode_len(header).is_ok()
        && !may_be_text(header)
        && is_whole(at)
        && !near.into_iter().any(|other| other != at && other < bytes.len() && is_whole(other))
}

/// Whether these bytes can be the middle of a text.
pub(crate) fn may_be_text(bytes: &[u8]) -> bool {
    // The end of a character whose start is before them.
    let cut = bytes.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
    // The start of one whose end is behind them is no error of a certain length.
    str::from_utf8(&bytes[cut..]).err().is_none_or(|error| error.error_len().is_none())
}

fn reason(error: KvsError) -> String {
    match error {
        KvsError::Damaged { reason, .. } => reason,
        KvsError::File { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// If `bytes` should start with a record, and there is exactly one bit with which they do when it is flipped
/// back: does that, and returns true. It is tried with each bit of the header, and with those of a record
/// of at most [`MENDED`] bytes.
pub(crate) fn mend(bytes: &mut [u8], location: Location) -> bool {
    let short = record::decode_len(bytes).ok().filter(|len| *len <= MENDED);
    let mut bits = (0..8 * short.unwrap_or(record::HEADER).min(bytes.len())).filter(|bit| {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let is_valid = record::decode_whole(bytes, location).is_ok();
        bytes[bit / 8] ^= 1 << (bit % 8);
        is_valid
    });
    let (Some(bit), None) = (bits.next(), bits.next()) else { return false };
    bytes[bit / 8] ^= 1 << (bit % 8);
    true
}
