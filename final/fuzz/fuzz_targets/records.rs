//! Whatever bytes are in a segment: `properties/records.rs`.
#![no_main]

#[path = "../properties/records.rs"]
mod records;

// The decoder finds here what it calls `crate`.
use kvs_final::{KvsError, Result};

libfuzzer_sys::fuzz_target!(|input: &[u8]| records::hold(input));
