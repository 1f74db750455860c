//! Sync points: where a test may hold a thread that is in the engine, with the feature `testing`.
//!
//! A test that wants to know whether readers share a lock has to hold one of them inside it. So the
//! engine calls [`reach`] there, and a test [`install`]s what happens then. A release build calls
//! nothing even with the feature: the benches have it too, and must not pay for it.

use std::sync::OnceLock;

/// Where an engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// It has read a record and decodes it.
    Read,
    /// It is about to write a record.
    Append,
    /// It is about to read from a file.
    FileRead,
    /// It is about to write to a file, behind its header.
    FileWrite,
    /// It is about to sync a file.
    FileSync,
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
pub fn reach(point: Point) {
    if cfg!(debug_assertions)
        && let Some(hook) = HOOK.get()
    {
        hook(point);
    }
}
