//! Tests that know of an answer only what the walkthrough says of it.

mod bounded_pool;
mod condvar_queue;
mod connection_limit;
mod sharded_store;
