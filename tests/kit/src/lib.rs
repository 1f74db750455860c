//! What the tests share.
//!
//! | module | |
//! |---|---|
//! | [`server`] | a server in a process of its own |
//! | [`child`] | a part of a test in a process of its own |
//! | [`raw`] | a client that sends and reads lines as they are, and such lines |
//! | [`clients`] | clients that ask and ask, that never rest |
//! | [`pools`] | what every thread pool must do |
//! | [`wait`] | waiting for events, and telling that one never comes |
//! | [`process`] | what Linux tells of a process |
//! | [`files`] | files on the real disk |
//! | [`environment`] | how much a test does, and a fault that it meets, as somebody outside asked |
//!
//! About `final` only:
//!
//! | module | |
//! |---|---|
//! | [`local`] | a server in the test's own process |
//! | [`engines`] | engines of the tests' own, for such a server |
//! | [`expected`] | what a store may hold after writes some of which failed |
//! | [`sigterm`] | a server that is told to stop under load |
//! | [`properties`] | what holds of bytes from outside, whatever they are |
//! | [`simulated`] | what a store is asked on a disk that crashes, fails or decays |
//!
//! Everything here panics where a test would fail.
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests are tests

pub mod child;
pub mod clients;
pub mod engines;
pub mod environment;
pub mod expected;
pub mod files;
pub mod local;
pub mod pools;
pub mod process;
pub mod properties;
pub mod raw;
pub mod server;
pub mod sigterm;
/// What a store of `final` promises, tried on the simulated disk: a `workload`, during which there is a
/// `crash`, an error of the disk (`faults`) or of somebody who has to do with the `directory`, or after
/// it some `damage`.
pub mod simulated {
    pub mod crash;
    pub mod damage;
    pub mod directory;
    pub mod faults;
    pub mod workload;
}
pub mod wait;

pub use raw::Raw;
pub use server::Server;
pub use wait::{WATCHDOG, comes_to_an_end, until};
