//! The key/value store as one step of `WALKTHROUGH.md` leaves it.

pub mod cli;
mod engine;
mod kv_store;
mod server;
mod sled_engine;
pub mod thread_pool;

pub use engine::KvsEngine;
pub use kv_store::KvStore;
pub use kvs_common::{EngineKind, KvsClient, KvsError, Result, Stats, protocol};
pub use server::{KvsServer, ServerHandle};
pub use sled_engine::SledKvsEngine;
