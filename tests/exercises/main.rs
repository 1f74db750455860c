//! The answers to the exercises of the walkthrough, one a file, each with its tests. Those of the first
//! chapters have their tests in `checks/`: `cargo xtask check` runs them against a reader's attempt, too.
//!
//! `cargo test --test exercises bounded_pool` runs one of them. They call the stages by their names,
//! so a feature that picks one has nothing to add: they run once, when no stage is picked.
#![cfg(stage = "final")]

// As the tests in `checks/` call what they are built on.
use naive_pool as stage_1;
use shared_engine as stage_2;
use shared_queue as stage_4;
use threaded_server as stage_3;

mod bounded_pool;
/// Tests that know of an answer only what the walkthrough says of it.
mod checks {
    mod bounded_pool;
    mod condvar_queue;
    mod connection_limit;
    mod sharded_store;
}
mod condvar_queue;
mod connection_limit;
mod counting_pool;
mod get_many;
mod hot_counter;
mod sharded_store;
mod upgrade;
