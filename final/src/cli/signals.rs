//! SIGTERM, SIGINT and SIGHUP.

use super::outcome::Outcome;
use nix::sys::signal::{SigSet, Signal};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{fs, thread};

/// Calls `stop` at the first SIGTERM, SIGINT or SIGHUP. The second of the first two ends the process at
/// once, with the exit code that a shell gives to a process that the signal ended; SIGHUP never does, as
/// a terminal that is closed may send it twice, and a service manager right after SIGTERM.
///
/// SIGINT and SIGHUP are left ignored if they are: a script's background process is not for ctrl-C, and
/// one of `nohup` survives its terminal.
///
/// # Errors
/// If the operating system refuses a handler, or the thread that waits for it.
pub(super) fn on_terminate(stop: impl FnOnce() + Send + 'static) -> Outcome {
    let ignored = ignored();
    let mut signals = vec![Signal::SIGTERM];
    signals.extend([Signal::SIGINT, Signal::SIGHUP].iter().filter(|signal| !ignored(**signal)));
    let told = Arc::new(AtomicBool::new(false));
    for &signal in signals.iter().filter(|signal| **signal != Signal::SIGHUP) {
        // In the handler itself, so that no thread need come to anything. In this order: the first one
        // finds the flag as it was.
        let number = signal as i32;
        flag::register_conditional_shutdown(number, 128 + number, Arc::clone(&told))?;
        flag::register(number, Arc::clone(&told))?;
    }
    let mut arrivals = Signals::new(signals.iter().map(|signal| *signal as i32))?;
    let wait = move || {
        if let Some(signal) = arrivals.forever().next() {
            stop();
            log::info!("signal {signal}: stopping; a second signal leaves at once");
        }
    };
    thread::Builder::new().name("kvs-signals".into()).spawn(wait)?;
    // One thread that takes them is enough, and this one stays: whoever started the program may have
    // blocked them.
    signals.into_iter().collect::<SigSet>().thread_unblock()?;
    Ok(())
}

/// Which signals the program was started with as ignored. `sigaction` would tell, and is unsafe.
fn ignored() -> impl Fn(Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    move |signal| mask & 1 << (signal as i32 - 1) != 0
}
