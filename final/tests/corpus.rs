//! What the fuzz targets have found worth keeping, run as a test.
#![allow(clippy::unwrap_used)]
#![allow(clippy::expect_used)]

#[path = "../fuzz/properties/requests.rs"]
mod requests;

use std::fs;
use std::path::Path;

fn inputs(target: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    files.map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn whatever_arrives_is_found_and_decoded_the_same_way_however_it_is_cut() {
    let inputs = inputs("requests");
    for input in &inputs {
        for size in 0..=80 {
            let bytes = input.get(1..).unwrap_or_default();
            requests::hold(&[&[size], bytes].concat());
        }
    }
    println!("{} inputs, each cut in 81 ways", inputs.len());
    assert!(inputs.len() >= 50);
}
