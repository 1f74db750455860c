//! The threads, locks, atomics and the clock of the engine, the server and the pools.
//!
//! They are the standard library's. They have a place of their own because the models in
//! `final/models` put loom's there, and then run the same code in every order that its threads can
//! come in. `Arc` is the standard library's there too, and not in here: what the models ask is who
//! waits for whom and who sees what, not who frees what.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, atomic};
pub(crate) use std::thread;
pub(crate) use std::time::Instant;
