//! What holds of the bytes that a client sends, whatever they are.

use kvs_final::protocol::{Line, LineDecoder, decode, encode};

/// Short, so that a fuzzer comes across it.
const LIMIT: usize = 64;

/// The first byte says how long the pieces are in which the others arrive.
pub(crate) fn hold(input: &[u8]) {
    hold_with(input, |_| ());
}

/// A mistake that is to be noticed: what was found out about the bytes so far is forgotten when more
/// of them arrive.
#[allow(dead_code)] // the fuzzer has no use for it
pub(crate) fn hold_although_forgotten(input: &[u8]) {
    hold_with(input, |lines| *lines = LineDecoder::new(LIMIT));
}

fn hold_with(input: &[u8], arrive: fn(&mut LineDecoder)) {
    let Some((&size, bytes)) = input.split_first() else {
        return;
    };
    let found = found_in_pieces(bytes, usize::from(size).max(1), arrive);
    let at_once = found_in_pieces(bytes, usize::MAX, arrive);
    assert_eq!(found, at_once, "how they are cut must not matter");
    assert_eq!(found, expected(bytes));
    for line in found.into_iter().flatten() {
        if let Ok(request) = decode(&line) {
            let mut again = encode(&request).expect("a request can be written");
            assert_eq!(again.pop(), Some(b'\n'));
            assert!(!again.contains(&b'\n'), "a request is one line");
            assert_eq!(decode(&again).expect("what was written can be read"), request);
        }
    }
}

/// The lines; none for one that is too long. Bytes are kept no longer than they have to.
fn found_in_pieces(
    bytes: &[u8],
    size: usize,
    arrive: fn(&mut LineDecoder),
) -> Vec<Option<Vec<u8>>> {
    let mut lines = LineDecoder::new(LIMIT);
    let (mut found, mut kept) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(size) {
        arrive(&mut lines);
        kept.extend_from_slice(piece);
        let mut done = 0;
        while let Some(line) = lines.find(&kept[done..]) {
            found.push(match line {
                Line::Whole(line) => Some(line.to_vec()),
                Line::TooLong => None,
            });
            done += lines.take();
        }
        done += lines.discard();
        kept.drain(..done);
        assert!(kept.len() < LIMIT, "no more is kept than a line may have");
    }
    found
}

/// The same, said in another way.
fn expected(bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    lines.pop(); // what follows the last newline
    lines.into_iter().map(|line| (line.len() < LIMIT).then(|| line.to_vec())).collect()
}
