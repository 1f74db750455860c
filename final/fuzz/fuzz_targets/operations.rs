//! Whatever a store is asked: `properties/operations.rs`.
#![no_main]

#[path = "../properties/operations.rs"]
mod operations;

libfuzzer_sys::fuzz_target!(|input: &[u8]| operations::hold(input));
