//! What the fuzz targets have found worth keeping, run as a test.
#![allow(clippy::unwrap_used)]
#![allow(clippy::expect_used)]

// The decoder of records finds here what it calls `crate`.
use kvs_final::{KvsError, Result};

#[path = "../fuzz/properties/directory.rs"]
mod directory;
#[path = "../fuzz/properties/operations.rs"]
mod operations;
#[path = "../fuzz/properties/records.rs"]
mod records;
#[path = "../fuzz/properties/requests.rs"]
mod requests;

use std::fs;
use std::path::Path;

fn inputs(target: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    files.map(|path| fs::read(path).unwrap()).collect()
}

/// Whether a property holds of all inputs of its target, of which there are at least so many.
fn holds(target: &str, at_least: usize, hold: impl Fn(&[u8])) {
    let inputs = inputs(target);
    inputs.iter().for_each(|input| hold(input));
    println!("{target}: {} inputs", inputs.len());
    assert!(inputs.len() >= at_least, "only {}", inputs.len());
}

#[test]
fn whatever_arrives_is_found_and_decoded_the_same_way_however_it_is_cut() {
    holds("requests", 50, |input| {
        for size in 0..=80 {
            let bytes = input.get(1..).unwrap_or_default();
            requests::hold(&[&[size], bytes].concat());
        }
    });
}

#[test]
fn whatever_is_in_a_segment_is_the_record_that_was_written_there_or_none() {
    holds("records", 30, records::hold);
}

#[test]
fn whatever_becomes_of_its_files_a_store_is_refused_or_is_one() {
    holds("directory", 50, directory::hold);
}

#[test]
fn whatever_is_asked_and_however_often_it_ends_a_store_answers_as_a_map_does() {
    holds("operations", 50, operations::hold);
}
