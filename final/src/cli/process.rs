//! What a program asks of the system before it does anything.

use super::outcome::Outcome;
use rustix::process::{Resource, getrlimit, setrlimit};
use signal_hook::consts::SIGXFSZ;
use signal_hook::flag;
use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What glibc reads when a process starts, and its value in bytes: what glibc itself begins with.
const THRESHOLD: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "131072");

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

/// Starts the program again, in the same process, so that glibc gives back what a burst of large requests
/// needed. Returns if that has been done, or cannot be.
///
/// glibc gives a block of at least a threshold back to the system when it is freed. But each time it
/// raises the threshold to the size of the block, up to 32 MiB, and later blocks come from its heaps,
/// which keep them: of 16 clients with 8 requests of 12 MiB each 294 MiB are left, and 16 if the threshold
/// is fixed. (jemalloc leaves 66 and mimalloc 101, and both have C to compile.) Only the environment fixes
/// it without `unsafe`.
pub(super) fn fix_allocator() {
    let mut args = env::args_os();
    let (Some(name), Ok(program)) = (args.next(), env::current_exe()) else {
        return;
    };
    // A loader or an emulator that runs this program would take the arguments for its own.
    let is_ours = Path::new(&name).file_name() == program.file_name();
    if is_ours && env::var_os(THRESHOLD.0).is_none() {
        // If it fails, the server does without.
        let _error =
            Command::new(program).arg0(name).args(args).env(THRESHOLD.0, THRESHOLD.1).exec();
    }
}
