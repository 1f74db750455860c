//! Whatever has become of a store's files: `properties/directory.rs`.
#![no_main]

#[path = "../properties/directory.rs"]
mod directory;

libfuzzer_sys::fuzz_target!(|input: &[u8]| directory::hold(input));
