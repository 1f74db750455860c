//! `try_clone` shares the file's cursor.
//!
//! A reader for each thread, each with its own handle from `File::try_clone`, looks as if nothing
//! were shared. But the handles are two names for one open file, with one cursor: what one thread
//! seeks to, another one reads from. `read_at` takes the place as an argument and moves no cursor.

use std::io::{Read, Seek, SeekFrom, Write};

#[test]
fn two_clones_of_a_file_seek_each_other_away() {
    let mut first = tempfile::tempfile().unwrap();
    // Two records of four bytes.
    first.write_all(b"one two ").unwrap();
    let mut second = first.try_clone().unwrap();
    first.seek(SeekFrom::Start(0)).unwrap();
    // Here the first reader's thread loses its turn.
    second.seek(SeekFrom::Start(4)).unwrap();
    let mut found = [0; 4];
    first.read_exact(&mut found).unwrap();
    let words = String::from_utf8_lossy(&found);
    println!("the first reader was to find \"one \" and finds {words:?}");
    assert_eq!(&found, b"two ");
    assert_eq!(second.stream_position().unwrap(), 8, "the other one is behind its record as well");
}
