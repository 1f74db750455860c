//! What a program asks of the system before it does anything.

use super::outcome::Outcome;
use rustix::process::{Resource, getrlimit, setrlimit};
use signal_hook::consts::SIGXFSZ;
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Asks for as many open files as there may be, and not to be ended by a file that becomes too large.
///
/// # Errors
/// If the operating system refuses a signal handler.
pub(super) fn prepare() -> Outcome {
    raise_open_files();
    // The write fails with `EFBIG` then, as it does on a full disk. That there is a handler is enough,
    // whatever it does, and other than an ignored signal it is not passed on to other programs.
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(())
}

/// A connection is a file descriptor, and so is a segment of the log. Most systems allow few unless
/// asked for more.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        log::warn!("the limit of open files stays as it is: {error}");
    }
}
