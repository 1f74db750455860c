//! What holds of the bytes of a segment, whatever they are. The decoder is compiled in here with the
//! rest of its file, because nobody outside the store is to see it.

#[allow(dead_code, unused_imports)] // not all of it is asked here
#[path = "../../src/kv_store/record.rs"]
mod record;

use record::{Location, Record, decode, decode_len, encode};

/// The first bytes say where the others are.
pub(crate) fn hold(input: &[u8]) {
    hold_if_damaged(input, |_, _| ());
}

/// A mistake that is to be noticed: a checksum that is made to fit whatever it covers.
#[allow(dead_code)] // the fuzzer has no use for it
pub(crate) fn hold_although_mended(input: &[u8]) {
    hold_if_damaged(input, |bytes, location| {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&location.segment.to_le_bytes());
        crc.update(&location.offset.to_le_bytes());
        crc.update(&bytes[4..]);
        bytes[..4].copy_from_slice(&crc.finalize().to_le_bytes());
    });
}

fn hold_if_damaged(input: &[u8], mend: fn(&mut [u8], Location)) {
    let Some((location, bytes)) = input.split_first_chunk::<8>() else {
        return;
    };
    let location = Location {
        segment: location[0].into(),
        offset: u32::from_le_bytes([location[1], 0, 0, location[2]]),
    };
    if let Ok((record, len)) = decode(bytes, location) {
        assert_eq!(decode_len(bytes), Ok(len));
        is_found_where_it_is_written(&record, location);
        let mut again = Vec::new();
        encode(&mut again, location, &record);
        assert_eq!(again, bytes[..len], "a record has one form");
    }
    // Bytes are hardly ever a record, so here is one that is made of them.
    let text = String::from_utf8_lossy(bytes);
    let at = text.char_indices().nth(input[3].into()).map_or(text.len(), |(at, _)| at);
    let (key, value) = text.split_at(at);
    let value = (input[4] > 20).then_some(value);
    let record = Record { synced: u32::from(input[5]), key, value };
    is_found_where_it_is_written(&record, location);
    let mut bytes = Vec::new();
    encode(&mut bytes, location, &record);
    let bit = (usize::from(input[6]) << 8 | usize::from(input[7])) % (bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    mend(&mut bytes, location);
    assert!(decode(&bytes, location).is_err(), "a flipped bit is noticed");
}

fn is_found_where_it_is_written(record: &Record<'_>, location: Location) {
    let mut bytes = Vec::new();
    encode(&mut bytes, location, record);
    let len = bytes.len();
    for shorter in [0, len / 2, len - 1] {
        assert!(decode(&bytes[..shorter], location).is_err(), "its end is missing");
    }
    bytes.extend(b"more");
    let (found, found_len) = decode(&bytes, location).expect("it was written here");
    assert_eq!((&found, found_len), (record, len));
    let elsewhere = Location { offset: location.offset ^ 1, ..location };
    assert!(decode(&bytes, elsewhere).is_err(), "it was not written there");
}
