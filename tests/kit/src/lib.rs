//! What the tests share.
//!
//! | module | |
//! |---|---|
//! | [`server`] | a server in a process of its own |
//! | [`child`] | a part of a test in a process of its own |
//! | [`raw`] | a client that sends and reads lines as they are, and such lines; clients that ask and ask |
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
//! | [`redis`] | a Redis Cluster in front of which a server is put |
//! | [`sigterm`] | a server that is told to stop under load |
//! | [`properties`] | what holds of bytes from outside, whatever they are |
//! | [`simulated`] | what a store is asked on a disk that crashes, fails or decays |
//!
//! Everything here panics where a test would fail.
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests are tests

pub mod child;
pub mod engines;
pub mod expected;
pub mod local;
pub mod pools;
pub mod process;
pub mod properties;
pub mod raw;
pub mod redis;
pub mod server;
pub mod sigterm;
/// What a store of `final` promises, tried on the simulated disk: a `workload`, during which there is a
/// `crash`, an error of the disk or of somebody who has to do with the directory (`faults`), or after it some
/// `damage`.
pub mod simulated {
    pub mod crash;
    pub mod damage;
    pub mod faults;
    pub mod workload;
}
pub mod wait;

pub use raw::Raw;
pub use server::Server;
pub use wait::{WATCHDOG, comes_to_an_end, until};

/// What somebody outside asks of a test: how much it does, and which fault it meets.
pub mod environment {
    use std::env::var_os;

    /// An ordinary run takes seconds. Where this variable is [`FULL`], the same tests do what they are about in
    /// earnest.
    pub const SIZE: &str = "KVS_TEST_SIZE";

    /// What it is for the full size.
    pub const FULL: &str = "full";

    /// One of the two, by the size that was asked for.
    pub fn pick<T>(quick: T, full: T) -> T {
        if var_os(SIZE).is_some_and(|size| size == FULL) { full } else { quick }
    }

    /// The promises run whole suites as others do. In a process with this variable a suite meets the fault
    /// that it names, and has to fail.
    pub const FAULT: &str = "KVS_INJECTED_FAULT";

    /// Whether this fault is injected.
    pub fn is_injected(fault: &str) -> bool {
        var_os(FAULT).is_some_and(|injected| injected == fault)
    }
}

/// Files on the real disk.
pub mod files {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Copies the files of a directory, into those of another one where the names are the same.
    pub fn copy_dir(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for file in fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }

    /// All files of a directory, and what is in them.
    pub fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let paths = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
        paths.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
    }

    /// The log in the directory of a stage or of `final`, or one of its segments.
    pub fn log_in(dir: &Path) -> PathBuf {
        let mut paths = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
        paths.find(|path| path.extension().is_some_and(|end| end == "log" || end == "seg")).unwrap()
    }
}
