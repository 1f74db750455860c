//! The answers to the exercises of the walkthrough, one a file, each with its tests.
//!
//! `cargo test --test exercises bounded_pool` runs one of them. They call the stages by their names,
//! so a feature that picks one has nothing to add: they run once, when no stage is picked.
#![cfg(stage = "final")]

use kvs_test_kit::WATCHDOG;
use std::sync::mpsc::channel;
use std::thread;

/// Fails if `check` fails, or never comes to its end.
fn comes_to_an_end(check: impl FnOnce() + Send + 'static) {
    let (end, ended) = channel();
    thread::spawn(move || {
        check();
        end.send(()).unwrap();
    });
    ended.recv_timeout(WATCHDOG).expect("it has failed, or waits for ever");
}

mod bounded_pool;
mod condvar_queue;
mod connection_limit;
mod counting_pool;
mod get_many;
mod hot_counter;
mod sharded_store;
mod upgrade;
