//! Whatever bytes arrive, in whatever pieces: `properties/requests.rs`.
#![no_main]

#[path = "../properties/requests.rs"]
mod requests;

libfuzzer_sys::fuzz_target!(|input: &[u8]| requests::hold(input));
