//! How a command ends. The only file that knows `failure`: its error collects every other one, with
//! the context in which it happened.

use super::stderr;
pub(super) use failure::{Error, ResultExt, err_msg};

use super::output::printable;

/// What came of a command.
pub(super) type Outcome<T = ()> = Result<T, Error>;

/// An error with its causes, on stderr.
pub(super) fn print_error(error: &Error) {
    let causes: Vec<String> = error.iter_chain().map(|cause| cause.to_string()).collect();
    print_message(&causes.join(": "));
}

/// A line for people, on stderr, without commands to their terminal.
pub(super) fn print_message(message: &str) {
    stderr::write(format!("{}\n", printable(message)).as_bytes());
}
