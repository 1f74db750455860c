//! SIGINT and SIGTERM.

use crate::Result;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::{process, thread};

/// Calls `stop` at the first SIGINT or SIGTERM; the second one ends the process at once, with the
/// exit code that a shell gives to a process that the signal ended.
///
/// # Errors
/// If the operating system refuses the handler or the thread that waits for it.
pub fn on_terminate(stop: impl FnOnce() + Send + 'static) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let wait = move || {
        let mut arrivals = signals.forever();
        if let Some(signal) = arrivals.next() {
            log::info!("signal {signal}: stopping; a second signal leaves at once");
            stop();
        }
        if let Some(signal) = arrivals.next() {
            process::exit(128 + signal);
        }
    };
    thread::Builder::new().name("kvs-signals".into()).spawn(wait)?;
    Ok(())
}
