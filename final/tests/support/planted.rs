//! Faults for the rows of `promises` that run whole suites: in a process with this variable a suite
//! meets the fault that it names, and has to fail.
#![allow(dead_code)] // who sets it does not ask for it

/// The variable.
pub(crate) const PLANTED: &str = "KVS_INJECTED_FAULT";

/// Whether this fault is planted.
pub(crate) fn is_planted(fault: &str) -> bool {
    std::env::var_os(PLANTED).is_some_and(|planted| planted == fault)
}
