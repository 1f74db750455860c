//! The fault that a model is to find: one a process, or none.

use std::sync::OnceLock;

static INJECTED: OnceLock<String> = OnceLock::new();

/// Puts a fault into the code, for as long as the process lives.
pub(super) fn inject(fault: &str) {
    INJECTED.get_or_init(|| fault.to_owned());
}

pub(crate) fn is_injected(fault: &str) -> bool {
    INJECTED.get().is_some_and(|injected| injected == fault)
}
