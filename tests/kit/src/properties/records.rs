//! What holds of the bytes of a segment, whatever they are.

use super::directory::record_crc;
use super::{Reached, note};
use kvs_final::testing::{StoredRecord, decode_record, encode_record};
use rand::RngExt;
use rand::rngs::StdRng;

/// Where a record starts: the number of its segment, and its offset there.
type Location = (u64, u32);

/// Seven bytes say where a record is and what of the others is its key, and which bit of it flips; the
/// others are a record, or nearly one, or anything.
pub(super) fn generate(random: &mut StdRng) -> Vec<u8> {
    let head: [u8; 7] = random.random();
    let text: String = (0..random.random_range(0..40)).map(|_| random.random::<char>()).collect();
    let (key, value) = parts(&text, random.random());
    let value = random.random_bool(0.7).then(|| value.to_owned());
    let record = StoredRecord { synced: random.random(), key: key.to_owned(), value };
    let mut bytes = encode_record(location(&head), &record);
    match random.random_range(0..6) {
        0 => random.fill(&mut bytes[..]),
        1 => bytes.truncate(random.random_range(0..bytes.len())),
        2 | 3 => {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
            if random.random() {
                mend(&mut bytes, location(&head));
            }
        }
        4 => bytes.extend(b"more"),
        _ => {}
    }
    [&head[..], &bytes].concat()
}

fn location(head: &[u8; 7]) -> Location {
    (head[0].into(), u32::from_le_bytes([head[1], 0, 0, head[2]]))
}

/// A text in two parts.
fn parts(text: &str, at: u8) -> (&str, &str) {
    text.split_at(text.char_indices().nth(at.into()).map_or(text.len(), |(at, _)| at))
}

/// Makes the checksum fit whatever it covers.
fn mend(bytes: &mut [u8], (segment, offset): Location) {
    let crc = record_crc(&segment.to_le_bytes(), offset as usize, bytes);
    bytes[..4].copy_from_slice(&crc.to_le_bytes());
}

/// The fault: a checksum that is made to fit the damage.
pub(super) fn hold(input: &[u8], mends: bool, reached: &mut Reached) {
    let Some((head, bytes)) = input.split_first_chunk::<7>() else {
        return;
    };
    let location = location(head);
    match decode_record(bytes, location) {
        Ok((record, len)) => {
            note(reached, if record.value.is_some() { "a value" } else { "a removal" });
            is_found_where_it_is_written(&record, location);
            assert_eq!(encode_record(location, &record), bytes[..len], "a record has one form");
        }
        Err(reason) => note(reached, reason),
    }
    // Bytes are hardly ever a record, so here is one that is made of them.
    let text = String::from_utf8_lossy(bytes);
    let (key, value) = parts(&text, head[3]);
    let (key, value) = (key.to_owned(), (head[4] > 20).then(|| value.to_owned()));
    let record = StoredRecord { synced: u32::from(head[5]), key, value };
    is_found_where_it_is_written(&record, location);
    let mut bytes = encode_record(location, &record);
    let bit = usize::from(head[6]) * 7919 % (bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    if mends {
        mend(&mut bytes, location);
    }
    assert!(decode_record(&bytes, location).is_err(), "a flipped bit is noticed");
}

fn is_found_where_it_is_written(record: &StoredRecord, (segment, offset): Location) {
    let mut bytes = encode_record((segment, offset), record);
    let len = bytes.len();
    for shorter in [0, len / 2, len - 1] {
        let cut = decode_record(&bytes[..shorter], (segment, offset));
        assert!(cut.is_err(), "its end is missing");
    }
    bytes.extend(b"more");
    let (found, found_len) = decode_record(&bytes, (segment, offset)).unwrap();
    assert_eq!((&found, found_len), (record, len));
    let elsewhere = decode_record(&bytes, (segment, offset ^ 1));
    assert!(elsewhere.is_err(), "it was not written there");
}
