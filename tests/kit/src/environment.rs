//! What somebody outside asks of a test: how much it does, and which fault it meets.

use std::env::var_os;

/// An ordinary run takes seconds. Where this variable is [`FULL`], the same tests do what they are about in
/// earnest.
pub const SIZE: &str = "KVS_TEST_SIZE";

/// What it is for the full size.
pub const FULL: &str = "full";

/// One of the two, by the size that was asked for.
pub fn pick<T>(quick: T, full: T) -> T {
    if var_os(SIZE).is_some_and(|size| size == FULL) { full } else { quick }
}

/// The promises run whole suites as others do. In a process with this variable a suite meets the fault
/// that it names, and has to fail.
pub const FAULT: &str = "KVS_INJECTED_FAULT";

/// Whether this fault is injected.
pub fn is_injected(fault: &str) -> bool {
    var_os(FAULT).is_some_and(|injected| injected == fault)
}
