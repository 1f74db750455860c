//! `try_clone` shares the file's cursor.
//!
//! A reader for each thread, each with its own handle from `File::try_clone`, looks as if nothing
//! were shared. But the handles are two names for one open file, with one cursor: what one thread
//! seeks to, another one reads from. `read_at` takes the place as an argument and moves no cursor.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use tempfile::TempDir;

/// A log with two records of four bytes, and the directory that it is in.
fn log() -> (PathBuf, TempDir) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("log");
    fs::write(&path, "one two ").unwrap();
    (path, dir)
}

fn read(mut log: &File) -> String {
    let mut record = [0; 4];
    log.read_exact(&mut record).unwrap();
    String::from_utf8(record.to_vec()).unwrap()
}

fn read_at(log: &File, offset: u64) -> String {
    let mut record = [0; 4];
    log.read_exact_at(&mut record, offset).unwrap();
    String::from_utf8(record.to_vec()).unwrap()
}

#[test]
fn two_clones_of_a_file_seek_each_other_away() {
    let (path, _dir) = log();
    let mut first = File::open(path).unwrap();
    let mut second = first.try_clone().unwrap();
    first.seek(SeekFrom::Start(0)).unwrap();
    // Here the first reader's thread loses its turn.
    second.seek(SeekFrom::Start(4)).unwrap();
    let found = read(&first);
    println!("the first reader was to find \"one \" and finds {found:?}");
    assert_eq!(found, "two ");
    assert_eq!(second.stream_position().unwrap(), 8, "the other one is behind its record as well");
}

#[test]
fn read_at_moves_no_cursor() {
    let (path, _dir) = log();
    let mut first = File::open(path).unwrap();
    let second = first.try_clone().unwrap();
    assert_eq!((read_at(&second, 4), read_at(&first, 0)), ("two ".into(), "one ".into()));
    assert_eq!(first.stream_position().unwrap(), 0);
}

/// The way without `read_at`: a file that is opened once more has a cursor of its own.
#[test]
fn a_file_that_is_opened_twice_has_two_cursors() {
    let (path, _dir) = log();
    let [mut first, mut second] = [(); 2].map(|()| File::open(&path).unwrap());
    first.seek(SeekFrom::Start(0)).unwrap();
    second.seek(SeekFrom::Start(4)).unwrap();
    assert_eq!((read(&first), read(&second)), ("one ".into(), "two ".into()));
}
