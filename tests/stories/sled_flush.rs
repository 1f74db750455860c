//! sled's `flush` that is no sync.
//!
//! Its documentation promises that what was written before is on the disk. On Linux the call ends in
//! `sync_file_range`, which starts and awaits the write-out of a file's pages and does neither of the
//! two things that a power loss asks for: it does not empty the disk's own cache, and it does not
//! write the file's length. So an acknowledged write can be lost, and `final` refuses to promise more.
//!
//! The system calls are counted by `strace`; without it the stories say so and are not told.

use crate::child::{Child, is_told_here};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Marks in the trace: what is written to standard error stands there among the calls.
const BEGIN: &str = "the write begins";
const END: &str = "the write is acknowledged";

/// How often a call was made between the marks.
struct Calls {
    sync_file_range: usize,
    fsync: usize,
    fdatasync: usize,
}

/// Tells the story under `strace`, if that works here.
fn calls_of(story: &str) -> Option<Calls> {
    let dir = TempDir::new().unwrap();
    let trace = dir.path().join("trace");
    let strace = |trace: &Path| {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-e", "trace=write,fsync,fdatasync,sync_file_range", "-o"]).arg(trace);
        strace
    };
    let works = strace(&trace).arg("true").stderr(Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        println!("skipped: there is no strace here, or it may not trace");
        return None;
    }
    let child = Child::start_by(strace(&trace), story);
    child.says(END);
    assert!(child.end().success());
    let trace = fs::read_to_string(trace).unwrap();
    let (_, rest) = trace.split_once(BEGIN).unwrap();
    let (between, _) = rest.split_once(END).unwrap();
    // A call that another thread interrupts in the trace has a second line, `<... resumed>`.
    let count = |call: &str| between.matches(&format!(" {call}(")).count();
    let (sync_file_range, fsync, fdatasync) =
        (count("sync_file_range"), count("fsync"), count("fdatasync"));
    println!("{sync_file_range} sync_file_range, {fsync} fsync, {fdatasync} fdatasync");
    Some(Calls { sync_file_range, fsync, fdatasync })
}

#[test]
fn flush_of_sled_makes_no_sync() {
    let story = "sled_flush::flush_of_sled_makes_no_sync";
    if is_told_here(story) {
        // Without the thread that flushes every half second.
        let db = sled::Config::new().path(".").flush_every_ms(None).open().unwrap();
        eprintln!("{BEGIN}");
        db.insert("key", "value").unwrap();
        let flushed = db.flush().unwrap();
        eprintln!("{END}");
        assert!(flushed > 0, "there was something to flush");
    } else if let Some(calls) = calls_of(story) {
        assert!(calls.sync_file_range > 0);
        assert_eq!(calls.fsync + calls.fdatasync, 0);
    }
}
