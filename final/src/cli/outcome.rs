//! How a command ends. The only file that knows `failure`: its error collects every other one, with
//! the context in which it happened.

pub(super) use failure::{Error, ResultExt, err_msg};

use super::output::printable;
use std::io::{self, Write};

/// What came of a command.
pub(super) type Outcome<T = ()> = Result<T, Error>;

/// An error with its causes, on stderr.
pub(super) fn print_error(error: &Error) {
    let causes: Vec<String> = error.iter_chain().map(|cause| cause.to_string()).collect();
    print_message(&causes.join(": "));
}

/// A line for people, on stderr, without commands to their terminal. Where nobody takes it any more, that
/// changes nothing of what there is to do; `eprintln!` would panic.
pub(super) fn print_message(message: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(message));
}
