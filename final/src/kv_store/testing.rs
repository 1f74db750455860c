//! The form of a record, for tests of the form itself.

use super::format::record::{self, Location, Record};

/// What is in a record.
#[derive(Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// How far its segment was synced when it was written.
    pub synced: u32,
    /// The key.
    pub key: String,
    /// Its value; none for a removal.
    pub value: Option<String>,
}

/// The bytes of a record at this offset of the segment of this number.
pub fn encode_record((segment, offset): (u64, u32), record: &StoredRecord) -> Vec<u8> {
    let StoredRecord { synced, key, value } = record;
    let record = Record { synced: *synced, key, value: value.as_deref() };
    let mut bytes = Vec::new();
    record::encode(&mut bytes, Location { segment, offset }, &record);
    bytes
}

/// The record that the bytes at this offset of this segment start with, and its length.
///
/// # Errors
/// In words, if there is none.
pub fn decode_record(
    bytes: &[u8],
    (segment, offset): (u64, u32),
) -> Result<(StoredRecord, usize), &'static str> {
    // One in a batch has another form, and none by itself.
    record::decode_len(bytes)?;
    let (record, len) = record::decode(bytes, Location { segment, offset })?;
    let Record { synced, key, value } = record;
    let record = StoredRecord { synced, key: key.to_owned(), value: value.map(str::to_owned) };
    Ok((record, len))
}
