//! A panic in a piece of work that somebody handed in must end that work and nothing else.

use crate::sync::fault;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

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

/// Runs pieces of work on the calling thread, each whatever became of the others. The first panic goes on afterwards.
#[derive(Default)]
pub(crate) struct FirstPanic(Option<Box<dyn Any + Send>>);

impl FirstPanic {
    /// Runs `work`.
    pub(crate) fn hold(&mut self, work: impl FnOnce()) {
        match (catch_unwind(AssertUnwindSafe(work)), &self.0) {
            (Ok(()), _) => {}
            (Err(payload), None) => self.0 = Some(payload),
            (Err(payload), Some(_)) => discard(payload),
        }
    }

    /// Panics if a piece of work did.
    pub(crate) fn go_on(self) {
        if let Some(payload) = self.0 {
            resume_unwind(payload);
        }
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
