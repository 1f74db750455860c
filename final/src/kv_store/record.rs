//! A record: what a `set` or a `remove` leaves in a segment.
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | CRC-32 of the segment's number, the record's offset and all bytes from 4 on |
//! | 4..8 | how far the segment was synced when the record was written, in bytes |
//! | 8..12 | length of the value |
//! | 12..14 | length of the key |
//! | 14 | 1: the key has this value; 2: the key has no value |
//! | 15.. | key, then value, both UTF-8 |
//!
//! Numbers are little-endian. Number and offset are in the checksum so that a record is only valid
//! where it was written: old bytes that turn up elsewhere, after a crash, are no record.

use crate::{KvsError, Result};

/// Bytes before the key.
pub(super) const HEADER: usize = 15;
/// The longest key, in bytes.
pub(super) const MAX_KEY: usize = u16::MAX as usize;
/// The longest value, in bytes.
pub(super) const MAX_VALUE: usize = 64 << 20;
/// The longest record that is mended in any place, in bytes. Other damage to one so short looks like a
/// flipped bit once in 100,000 times at most, and two flipped bits never do.
const MENDED: usize = 4 << 10;

const SET: u8 = 1;
const REMOVE: u8 = 2;

/// Where a record starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// The number of the segment.
    pub(super) segment: u64,
    /// Bytes from the segment's start.
    pub(super) offset: u32,
}

/// A record, in the bytes that it was read from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// Bytes below this offset of the segment were durable when the record was written.
    pub(super) synced: u32,
    pub(super) key: &'a str,
    /// None for a removal.
    pub(super) value: Option<&'a str>,
}

/// How long the record of a key and a value is, in bytes.
pub(super) fn len(key: &str, value: Option<&str>) -> usize {
    HEADER + key.len() + value.map_or(0, str::len)
}

/// Refuses keys and values that are too long, before anything is done with them.
pub(super) fn check_limits(key: &str, value: Option<&str>) -> Result<()> {
    let too_large = |what, len, limit| Err(KvsError::TooLarge { what, len, limit });
    match value {
        _ if key.len() > MAX_KEY => too_large("key", key.len(), MAX_KEY),
        Some(value) if value.len() > MAX_VALUE => too_large("value", value.len(), MAX_VALUE),
        _ => Ok(()),
    }
}

/// Appends a record to `bytes`. The limits were checked.
pub(super) fn encode(bytes: &mut Vec<u8>, location: Location, record: &Record<'_>) {
    let start = bytes.len();
    let value = record.value.unwrap_or_default();
    bytes.extend([0; 4]);
    bytes.extend(record.synced.to_le_bytes());
    bytes.extend((value.len() as u32).to_le_bytes());
    bytes.extend((record.key.len() as u16).to_le_bytes());
    bytes.push(if record.value.is_some() { SET } else { REMOVE });
    bytes.extend(record.key.as_bytes());
    bytes.extend(value.as_bytes());
    let crc = checksum(location, &bytes[start + 4..]);
    bytes[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Makes the whole records in `bytes`, which begin there, valid where they begin at `location`. They stay
/// in their segment.
pub(super) fn relocate(bytes: &mut [u8], mut location: Location) {
    let mut rest = bytes;
    while let Ok(len) = decode_len(rest) {
        let (record, behind) = rest.split_at_mut(len);
        let crc = checksum(location, &record[4..]);
        record[..4].copy_from_slice(&crc.to_le_bytes());
        location.offset += len as u32;
        rest = behind;
    }
}

/// How long the record is whose header `bytes` starts with.
///
/// # Errors
/// The reason, if that is no header.
pub(super) fn decode_len(bytes: &[u8]) -> std::result::Result<usize, &'static str> {
    let header: &[u8; HEADER] = bytes.first_chunk().ok_or("the record's header is cut short")?;
    let value_len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
    let key_len = u16::from_le_bytes([header[12], header[13]]) as usize;
    match header[14] {
        SET if value_len <= MAX_VALUE => Ok(HEADER + key_len + value_len),
        REMOVE if value_len == 0 => Ok(HEADER + key_len),
        _ => Err("this is no record's header"),
    }
}

/// How far the segment was synced, by the record whose header `bytes` starts with.
pub(super) fn decode_synced(bytes: &[u8]) -> Option<u32> {
    bytes.get(4..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// The record that `bytes` starts with, and its length.
///
/// # Errors
/// The reason, if there is no record, or not all of it, or not the one that was written here.
pub(super) fn decode(
    bytes: &[u8],
    location: Location,
) -> std::result::Result<(Record<'_>, usize), &'static str> {
    let len = decode_len(bytes)?;
    let bytes = bytes.get(..len).ok_or("the record is cut short")?;
    let crc = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    if crc != checksum(location, &bytes[4..]) {
        return Err("the checksum does not match");
    }
    let key_len = u16::from_le_bytes([bytes[12], bytes[13]]) as usize;
    let text = |bytes| str::from_utf8(bytes).map_err(|_| "the text is not UTF-8");
    let (key, value) = bytes[HEADER..].split_at(key_len);
    let record = Record {
        synced: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        key: text(key)?,
        value: if bytes[14] == SET { Some(text(value)?) } else { None },
    };
    Ok((record, len))
}

/// If `bytes` should start with a record, and there is exactly one bit with which they do when it is flipped
/// back: does that, and returns true. It is tried with each bit of the header, and with those of a record
/// of at most [`MENDED`] bytes.
pub(super) fn mend(bytes: &mut [u8], location: Location) -> bool {
    let short = decode_len(bytes).ok().filter(|len| *len <= MENDED);
    let mut bits = (0..8 * short.unwrap_or(HEADER).min(bytes.len())).filter(|bit| {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let is_valid = decode(bytes, location).is_ok();
        bytes[bit / 8] ^= 1 << (bit % 8);
        is_valid
    });
    let (Some(bit), None) = (bits.next(), bits.next()) else { return false };
    bytes[bit / 8] ^= 1 << (bit % 8);
    true
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

    const LOCATION: Location = Location { segment: 3, offset: 1000 };
    const RECORD: Record<'_> = Record { synced: 900, key: "key", value: Some("value") };

    #[test]
    fn every_flipped_bit_is_noticed_and_mended_and_every_missing_end_is_noticed() {
        let mut good = Vec::new();
        encode(&mut good, LOCATION, &RECORD);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bad, LOCATION).is_err(), "bit {bit}");
            assert!(mend(&mut bad, LOCATION), "bit {bit}");
            assert_eq!(bad, good);
        }
        for len in 0..good.len() {
            assert!(decode(&good[..len], LOCATION).is_err(), "{len} bytes");
        }
        assert!(decode(&good, Location { segment: 4, ..LOCATION }).is_err(), "of another segment");
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

    #[test]
    fn limits_hold_on_both_sides() {
        let key = "k".repeat(MAX_KEY + 1);
        let value = "v".repeat(MAX_VALUE + 1);
        check_limits(&key[1..], Some(&value[1..])).unwrap();
        assert!(check_limits(&key, None).unwrap_err().to_string().contains("key"));
        assert!(check_limits("k", Some(&value)).unwrap_err().to_string().contains("value"));
    }
}
