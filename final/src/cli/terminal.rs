//! The terminal while the prompt runs.

use super::outcome::Outcome;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::{env, io, thread};

/// Does something while the kernel gathers no lines from the terminal, also where a signal ends it.
///
/// Of a line that it gathers the kernel keeps 4095 bytes and drops the others without a word. While
/// rustyline reads a line the terminal is in a mode of rustyline's; this one is for the time between,
/// in which the next lines are typed or pasted already.
pub(super) fn unbuffered(work: impl FnOnce() -> Outcome) -> Outcome {
    // At these rustyline itself wants lines.
    let term = env::var("TERM").unwrap_or_default().to_lowercase();
    if ["dumb", "cons25", "emacs"].contains(&&*term) {
        return work();
    }
    let before = tcgetattr(io::stdin())?;
    let mut mode = before.clone();
    mode.local_modes.remove(LocalModes::ICANON);
    let restore = move || tcsetattr(io::stdin(), OptionalActions::Drain, &before);
    let at_signal = restore.clone();
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    let wait = move || {
        for signal in signals.forever() {
            let _ = at_signal();
            let _ = emulate_default_handler(signal);
        }
    };
    thread::Builder::new().name("kvs-signals".into()).spawn(wait)?;
    tcsetattr(io::stdin(), OptionalActions::Drain, &mode)?;
    let outcome = work();
    // Where the terminal is gone there is nothing to restore.
    let _ = restore();
    outcome
}

/// Drops what is typed or pasted at this moment: until nothing has come for a tenth of a second.
pub(super) fn discard_input() {
    let pause = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    let stdin = io::stdin();
    while matches!(poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&pause)), Ok(1..))
        && matches!(rustix::io::read(&stdin, &mut [0; 4096]), Ok(1..))
    {}
}
