//! sled's `flush` that is no sync.
//!
//! Its documentation promises that what was written before is on the disk. On Linux the call ends in
//! `sync_file_range`, which starts and awaits the write-out of a file's pages and does neither of the
//! two things that a power loss asks for: it does not empty the disk's own cache, and it does not
//! write the file's length. So an acknowledged write can be lost, and `final` refuses to promise more.
//!
//! The system calls are counted by `strace`; without it the stories say so and are not told.

use kvs_test_kit::child::Child;
use std::fs;
use std::process::{Command, Stdio};

/// Marks in the trace: what is written to standard error stands there among the calls.
const BEGIN: &str = "the write begins";
const END: &str = "the write is acknowledged";

#[test]
fn flush_of_sled_makes_no_sync() {
    let strace = |trace| {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-e", "trace=write,fsync,fdatasync,sync_file_range", "-o", trace]);
        strace
    };
    let works = strace("/dev/null").arg("true").stderr(Stdio::null()).status();
    if !Child::is_this() && !works.is_ok_and(|status| status.success()) {
        println!("skipped: there is no strace here, or it may not trace");
        return;
    }
    let mut child = Child::runs_by(strace("trace"), || {
        // Without the thread that flushes every half second.
        let db = sled::Config::new().path("data").flush_every_ms(None).open().unwrap();
        eprintln!("{BEGIN}");
        db.insert("key", "value").unwrap();
        let flushed = db.flush().unwrap();
        eprintln!("{END}");
        assert!(flushed > 0, "there was something to flush");
    });
    child.says(END);
    assert!(child.end().success());
    let trace = fs::read_to_string(child.dir().join("trace")).unwrap();
    let (_, rest) = trace.split_once(BEGIN).unwrap();
    let (between, _) = rest.split_once(END).unwrap();
    // A call that another thread interrupts in the trace has a second line, `<... resumed>`.
    let count = |call: &str| between.matches(&format!(" {call}(")).count();
    let [range, fsync, fdatasync] = ["sync_file_range", "fsync", "fdatasync"].map(count);
    println!("{range} sync_file_range, {fsync} fsync, {fdatasync} fdatasync");
    assert!(range > 0 && fsync + fdatasync == 0);
}
