//! A fault that a test meets because somebody outside asked for it.
//!
//! The promises run whole suites as others do. In a process with the variable [`VARIABLE`] a suite meets
//! the fault that it names, and has to fail.

/// The variable of the environment that names a fault.
pub const VARIABLE: &str = "KVS_INJECTED_FAULT";

/// Whether this fault is injected.
pub fn is_injected(fault: &str) -> bool {
    std::env::var_os(VARIABLE).is_some_and(|injected| injected == fault)
}
