//! Are the records of the benches of the code that is there, and the figures of the records?
#![allow(clippy::unwrap_used)]

#[path = "support/code.rs"]
mod code;
#[path = "../benches/support/record.rs"]
mod record;
#[path = "../benches/support/sources.rs"]
mod sources;
