//! A panic in a piece of work that somebody handed in must end that work and nothing else.

use crate::sync::fault;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work` on the calling thread; if it panics, that is the end of the work and of nothing else.
///
/// Nobody looks at what it may have left half-done: it owns what it captured, and what it shares is
/// behind locks that answer for themselves. Hence `AssertUnwindSafe`.
pub(crate) fn catch_panic(work: impl FnOnce()) {
    fault!("a panic ends the worker", return work());
    if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
        discard(payload);
    }
}

/// Drops what a panic left, and with it what that owns: a file, a sender.
///
/// `panic_any` allows a payload of any type, also one whose own `Drop` panics, which here would
/// end the thread or the process. So that is caught as well, and what the second panic left is leaked.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}
