//! The failures that the walkthrough tells, each one made to happen.
//!
//! A story is a module. Its tests show that what is told really happens. That it does not happen to our own code,
//! they show as well where the shared tests don't. (What the walkthrough shows as a program that hangs or aborts,
//! `cargo xtask check` runs.) `cargo test --test stories skip_list -- --nocapture` tells one of them, with its
//! counts. No story measures a time: a deadlock is concluded from all threads of a process being
//! asleep, and a busy loop from its counter going on.
//!
//! The stages are called by their names, so a feature that picks one has nothing to add: the stories
//! run once, when no stage is picked. They look into `/proc`, so they need Linux.
#![cfg(all(stage = "final", target_os = "linux"))]

mod buffered_failure;
mod deleted_file;
mod early_index;
mod fatal_jobs;
mod lock_twice;
mod own_pool;
mod poisoned_mutex;
mod rayon_drop;
mod refused_thread;
mod shared_cursor;
mod skip_list;
mod sled_flush;
mod spinning_worker;
