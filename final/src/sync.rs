//! The threads, locks, atomics and the clock of the engine, the server and the pools, and the three
//! crates that bring locks and atomics of their own.
//!
//! They have a place of their own because the models (`src/models`) put loom's types there, and then
//! run the same code in every order that its threads can come in: `--cfg loom` does that. `Arc` is the
//! standard library's in the models too, and not in here: what they ask is who waits for whom and who
//! sees what, not who frees what.

#[cfg(loom)]
pub(crate) use crate::models::{channel, map, map::ArcSwap, sync::*};
#[cfg(not(loom))]
pub(crate) use {
    arc_swap::ArcSwap,
    crossbeam::channel,
    papaya as map,
    std::sync::{Condvar, Mutex, MutexGuard, OnceLock, atomic},
    std::thread,
    std::time::Instant,
};

/// What goes wrong here if a model injects the fault of that name, so that the model can show that it
/// finds it: `fault!("name", what_happens_then)` as a statement, `fault!("name")` as a condition.
/// Without loom a statement is nothing, and a condition false, but for the unit tests: there it is true
/// if the test has injected the fault on its thread.
#[cfg(not(loom))]
macro_rules! fault {
    ($name:literal) => {
        cfg!(test) && $crate::sync::INJECTED.get() == $name
    };
    ($name:literal, $then:expr) => {};
}
#[cfg(loom)]
macro_rules! fault {
    ($name:literal) => {
        $crate::models::model::is_injected($name)
    };
    ($name:literal, $then:expr) => {
        if $crate::models::model::is_injected($name) {
            $then;
        }
    };
}
pub(crate) use fault;

#[cfg(not(loom))]
thread_local!(pub(crate) static INJECTED: std::cell::Cell<&'static str> = const { std::cell::Cell::new("") });
