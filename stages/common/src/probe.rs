//! A window for tests: they may stop a thread at the moments at which an engine is busy.
//!
//! A test that wants to know whether readers share a lock has to hold one inside it. So the log
//! calls [`hit`] there, and a test [`install`]s what happens then. Only a debug build has the
//! window; in a release build `hit` is empty and [`install`] says so.

use std::sync::OnceLock;

/// Where an engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// It is about to read a record.
    Fetch,
    /// It has read a record and decodes it.
    Read,
    /// It is about to write a record.
    Append,
}

type Hook = Box<dyn Fn(Point) + Send + Sync>;

// Written once, before the threads that a test observes start; `OnceLock` orders the rest.
static HOOK: OnceLock<Hook> = OnceLock::new();

/// Calls `hook` at every [`Point`] from now on, on the thread that got there. Once a process.
/// Returns whether it will be called.
pub fn install(hook: impl Fn(Point) + Send + Sync + 'static) -> bool {
    cfg!(debug_assertions) && HOOK.set(Box::new(hook)).is_ok()
}

/// Says that the calling thread is at `point`.
#[inline]
pub fn hit(point: Point) {
    if cfg!(debug_assertions)
        && let Some(hook) = HOOK.get()
    {
        hook(point);
    }
}
