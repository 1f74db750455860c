//! What the tests share.
//!
//! | module | |
//! |---|---|
//! | [`server`] | a server in a process of its own |
//! | [`raw`] | a client that sends and reads lines as they are |
//! | [`requests`] | what it sends, and what it gets |
//! | [`active`] | clients that ask and ask |
//! | [`wait`] | waiting for events, and telling that one never comes |
//! | [`process`] | what Linux tells of a process |
//! | [`files`] | files on the real disk |
//! | [`size`] | how much a test does |
//! | [`injected`] | a fault that a test meets because somebody outside asked for it |
//!
//! About `final` only:
//!
//! | module | |
//! |---|---|
//! | [`local`] | a server in the test's own process |
//! | [`engines`] | engines of the tests' own, for such a server |
//! | [`expected`] | what a store may hold after writes some of which failed |
//! | [`flood`], [`visits`] | clients that never rest, clients that do not stay |
//! | [`sigterm`] | a server that is told to stop under load |
//! | [`properties`] | what holds of bytes from outside, whatever they are |
//! | [`simulated`] | what a store is asked on a disk that crashes, fails or decays |
//!
//! Everything here panics where a test would fail.
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests are tests

pub mod active;
pub mod engines;
pub mod expected;
pub mod files;
pub mod flood;
pub mod injected;
pub mod local;
pub mod process;
pub mod properties;
pub mod raw;
pub mod requests;
pub mod server;
pub mod sigterm;
pub mod simulated;
pub mod size;
pub mod visits;
pub mod wait;

pub use raw::Raw;
pub use server::Server;
pub use wait::{WATCHDOG, comes_to_an_end, until};
