//! A record: what a `set` or a `remove` leaves in a segment.
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | CRC-32 of the segment's number, the record's offset and all bytes from 4 on |
//! | 4..8 | how far the segment was synced when the record was written, in bytes |
//! | 8..12 | length of the value |
//! | 12..14 | length of the key |
//! | 14 | 1: the key has this value; 2: the key has no value; 3: a batch; 4 and 5: 1 and 2 in a batch |
//! | 15.. | key, then value, both UTF-8; of a batch, the records in it |
//!
//! A batch has no key, its value is records of their own, and its checksum covers them all: so all of it is there
//! or nothing. What is in it can be read by itself once that is known, but it is no record for whoever
//! looks for the next one behind a torn tail: half of a batch is none.
//!
//! Numbers are little-endian. Number and offset are in the checksum so that a record is only valid
//! where it was written: old bytes that turn up elsewhere, after a crash, are no record.

use crate::Write;
use std::ops::RangeInclusive;

/// Bytes before the key.
pub(crate) const HEADER: usize = 15;
/// The longest key, in bytes.
pub(crate) const MAX_KEY: usize = u16::MAX as usize;
/// The longest value, in bytes.
pub(crate) const MAX_VALUE: usize = 64 << 20;
const SET: u8 = 1;
const REMOVE: u8 = 2;
const BATCH: u8 = 3;
/// What is added to the kind of a record in a batch.
const IN_BATCH: u8 = 3;

/// What bytes say, or why they are not as they were written.
type Decoded<T> = std::result::Result<T, &'static str>;

/// Where a record starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// The number of the segment.
    pub(crate) segment: u64,
    /// Bytes from the segment's start.
    pub(crate) offset: u32,
}

impl Location {
    fn plus(self, bytes: usize) -> Location {
        Location { offset: self.offset + bytes as u32, ..self }
    }
}

/// A record, in the bytes that it was read from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// Bytes below this offset of the segment were durable when the record was written.
    pub(crate) synced: u32,
    pub(crate) key: &'a str,
    /// None for a removal.
    pub(crate) value: Option<&'a str>,
}

/// How long the record of a key and a value is, in bytes.
pub(crate) fn len(key: &str, value: Option<&str>) -> usize {
    HEADER + key.len() + value.map_or(0, str::len)
}

/// How long the records of a write are, in bytes.
pub(crate) fn write_len(write: &Write) -> usize {
    let header = if matches!(write, Write::Batch(_)) { HEADER } else { 0 };
    header + write.changes().map(|(key, value)| len(key, value)).sum::<usize>()
}

/// Appends a record to `bytes`, one that is in no batch. The limits were checked.
pub(crate) fn encode(bytes: &mut Vec<u8>, location: Location, record: &Record<'_>) {
    encode_as(bytes, location, record, 0);
}

fn encode_as(bytes: &mut Vec<u8>, location: Location, record: &Record<'_>, added: u8) {
    let start = bytes.len();
    let value = record.value.unwrap_or_default();
    let kind = if record.value.is_some() { SET } else { REMOVE };
    encode_header(bytes, record.synced, value.len(), record.key.len(), kind + added);
    bytes.extend(record.key.as_bytes());
    bytes.extend(value.as_bytes());
    seal(&mut bytes[start..], location);
}

/// Appends the record of a write. The limits were checked.
pub(crate) fn encode_write(bytes: &mut Vec<u8>, location: Location, synced: u32, write: &Write) {
    let start = bytes.len();
    let is_batch = matches!(write, Write::Batch(_));
    if is_batch {
        encode_header(bytes, synced, write_len(write) - HEADER, 0, BATCH);
    }
    for (key, value) in write.changes() {
        let location = location.plus(bytes.len() - start);
        let added = if is_batch { IN_BATCH } else { 0 };
        encode_as(bytes, location, &Record { synced, key, value }, added);
    }
    if is_batch {
        seal(&mut bytes[start..], location);
    }
}

fn encode_header(bytes: &mut Vec<u8>, synced: u32, value_len: usize, key_len: usize, kind: u8) {
    bytes.extend([0; 4]);
    bytes.extend(synced.to_le_bytes());
    bytes.extend((value_len as u32).to_le_bytes());
    bytes.extend((key_len as u16).to_le_bytes());
    bytes.push(kind);
}

/// Gives a record its checksum.
fn seal(record: &mut [u8], location: Location) {
    let crc = checksum(location, &record[4..]);
    record[..4].copy_from_slice(&crc.to_le_bytes());
}

/// Makes the whole records in `bytes`, which begin there, valid where they begin at `location`. They stay
/// in their segment.
pub(crate) fn relocate(bytes: &mut [u8], mut location: Location) {
    let mut rest = bytes;
    while let Ok(len) = decode_len_of(SET..=REMOVE + IN_BATCH, rest) {
        let (record, behind) = rest.split_at_mut(len);
        if is_batch(record) {
            relocate(&mut record[HEADER..], location.plus(HEADER));
        }
        seal(record, location);
        location = location.plus(len);
        rest = behind;
    }
}

/// How long the record or the batch is whose header `bytes` starts with.
///
/// # Errors
/// The reason, if that is no header, or that of a record in a batch.
pub(crate) fn decode_len(bytes: &[u8]) -> Decoded<usize> {
    decode_len_of(SET..=BATCH, bytes)
}

/// How long the record in a batch is whose header `bytes` starts with; 0 if that is none.
pub(crate) fn len_in_batch(bytes: &[u8]) -> usize {
    decode_len_of(SET + IN_BATCH..=REMOVE + IN_BATCH, bytes).unwrap_or(0)
}

fn decode_len_of(kinds: RangeInclusive<u8>, bytes: &[u8]) -> Decoded<usize> {
    let header: &[u8; HEADER] = bytes.first_chunk().ok_or("the record's header is cut short")?;
    let value_len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
    let key_len = u16::from_le_bytes([header[12], header[13]]) as usize;
    let is_header = kinds.contains(&header[14])
        && match header[14] {
            BATCH if key_len > 0 => false,
            kind if is_removal(kind) => value_len == 0,
            _ => value_len <= MAX_VALUE,
        };
    if is_header { Ok(HEADER + key_len + value_len) } else { Err("this is no record's header") }
}

fn is_removal(kind: u8) -> bool {
    kind == REMOVE || kind == REMOVE + IN_BATCH
}

/// Whether a record or batch is a batch.
pub(crate) fn is_batch(record: &[u8]) -> bool {
    record.get(14) == Some(&BATCH)
}

/// How far the segment was synced, by the record whose header `bytes` starts with.
pub(crate) fn decode_synced(bytes: &[u8]) -> Option<u32> {
    bytes.get(4..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// The record that `bytes` starts with, perhaps one in a batch, and its length.
///
/// # Errors
/// The reason, if there is no record, or not all of it, or not the one that was written here.
pub(crate) fn decode(bytes: &[u8], location: Location) -> Decoded<(Record<'_>, usize)> {
    let bytes = checked(bytes, location, decode_len_of(SET..=REMOVE + IN_BATCH, bytes)?)?;
    if is_batch(bytes) {
        return Err("this is a batch, and no record");
    }
    let key_len = u16::from_le_bytes([bytes[12], bytes[13]]) as usize;
    let text = |bytes| str::from_utf8(bytes).map_err(|_| "the text is not UTF-8");
    let (key, value) = bytes[HEADER..].split_at(key_len);
    let record = Record {
        synced: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        key: text(key)?,
        value: if is_removal(bytes[14]) { None } else { Some(text(value)?) },
    };
    Ok((record, bytes.len()))
}

/// The record that `bytes` starts with, or those of the batch; and their length, with the batch's header.
///
/// # Errors
/// The reason, if they are not as they were written here.
pub(crate) fn decode_whole(bytes: &[u8], location: Location) -> Decoded<(Vec<Record<'_>>, usize)> {
    let whole = checked(bytes, location, decode_len(bytes)?)?;
    let mut at = if is_batch(whole) { HEADER } else { 0 };
    let mut records = Vec::new();
    while at < whole.len() {
        if is_batch(whole) {
            decode_len_of(SET + IN_BATCH..=REMOVE + IN_BATCH, &whole[at..])?;
        }
        let (record, len) = decode(&whole[at..], location.plus(at))?;
        records.push(record);
        at += len;
    }
    Ok((records, whole.len()))
}

/// The first `len` bytes, if their checksum is right.
fn checked(bytes: &[u8], location: Location, len: usize) -> Decoded<&[u8]> {
    let bytes = bytes.get(..len).ok_or("the record is cut short")?;
    let crc = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let is_right = crc == checksum(location, &bytes[4..]);
    if is_right { Ok(bytes) } else { Err("the checksum does not match") }
}

fn checksum(location: Location, bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&location.segment.to_le_bytes());
    crc.update(&location.offset.to_le_bytes());
    crc.update(bytes);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv_store::recovery::salvage::mend;

    const LOCATION: Location = Location { segment: 3, offset: 1000 };
    const RECORD: Record<'_> = Record { synced: 900, key: "key", value: Some("value") };

    #[test]
    fn every_flipped_bit_is_noticed_and_mended_and_every_missing_end_is_noticed() {
        let set = Write::Set { key: "key".to_owned(), value: "value".to_owned() };
        for (write, count) in [(set, 1), (batch(), 2), (Write::Batch(Vec::new()), 0)] {
            let mut good = Vec::new();
            encode_write(&mut good, LOCATION, 900, &write);
            assert_eq!(good.len(), write_len(&write));
            let (records, len) = decode_whole(&good, LOCATION).unwrap();
            assert_eq!((records.len(), len), (count, good.len()));
            for bit in 0..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(decode_whole(&bad, LOCATION).is_err(), "bit {bit}");
                assert!(mend(&mut bad, LOCATION), "bit {bit}");
                assert_eq!(bad, good);
            }
            for len in 0..good.len() {
                assert!(decode_whole(&good[..len], LOCATION).is_err(), "{len} bytes");
            }
            let elsewhere = Location { segment: 3, offset: 2000 };
            assert!(decode_whole(&good, elsewhere).is_err(), "at another place");
            relocate(&mut good, elsewhere);
            assert_eq!(decode_whole(&good, elsewhere).unwrap().0.len(), count);
        }
    }

    fn batch() -> Write {
        Write::Batch(vec![("key".to_owned(), Some("value".to_owned())), ("k".to_owned(), None)])
    }

    #[test]
    fn a_record_in_a_batch_can_be_read_by_itself_and_is_found_only_through_the_batch() {
        let mut bytes = Vec::new();
        encode_write(&mut bytes, LOCATION, 900, &batch());
        let first = LOCATION.plus(HEADER);
        assert_eq!(decode(&bytes[HEADER..], first), Ok((RECORD, HEADER + 8)));
        assert!(decode_whole(&bytes[HEADER..], first).is_err());
        assert!(decode_len(&bytes[HEADER..]).is_err());
        assert!(decode(&bytes, LOCATION).is_err(), "the batch is no record");
    }

    #[test]
    fn what_cannot_have_been_written_is_no_header() {
        let with_len = |value, len: u32| {
            let mut bytes = Vec::new();
            encode(&mut bytes, LOCATION, &Record { value, ..RECORD });
            bytes[8..12].copy_from_slice(&len.to_le_bytes());
            decode_len(&bytes)
        };
        let longest = MAX_VALUE as u32;
        assert_eq!(with_len(Some("value"), longest), Ok(HEADER + 3 + MAX_VALUE));
        assert!(with_len(Some("value"), longest + 1).is_err(), "a value over the limit");
        assert_eq!(with_len(None, 0), Ok(HEADER + 3));
        assert!(with_len(None, 1).is_err(), "a removal with a value");
    }
}
