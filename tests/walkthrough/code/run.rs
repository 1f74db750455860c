//! Runs a program that a block was compiled to.

use kvs_test_kit::wait::happens;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// How a program went.
pub struct Ran {
    /// None if it hangs: all its threads sleep.
    pub status: Option<ExitStatus>,
    pub stdout: String,
    pub stderr: String,
}

/// Ends the program when the check does.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs it in `dir` until it ends or hangs.
///
/// # Panics
/// If it neither ends nor goes to sleep.
pub fn run(program: &Path, dir: &Path) -> Ran {
    let file = |name: &str| dir.join(name);
    let mut child = Guard(
        Command::new(program)
            .current_dir(dir)
            .env_remove("RUST_BACKTRACE")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(File::create(file("stdout")).unwrap())
            .stderr(File::create(file("stderr")).unwrap())
            .spawn()
            .unwrap(),
    );
    let mut status = None;
    happens(child.0.id(), || {
        status = child.0.try_wait().unwrap();
        status.is_some()
    });
    drop(child);
    let text = |name| fs::read_to_string(file(name)).unwrap();
    Ran { status, stdout: text("stdout"), stderr: text("stderr") }
}
