//! A key/value server whose readers take no lock, and its client.
//!
//! | module | what it is |
//! |---|---|
//! | `kv_store` | our storage engine: a log on disk, an index in memory |
//! | [`disk`] | what that engine does with files, so that a test can take the disk's place |
//! | `sled_engine` | the same interface over sled |
//! | `cluster` | the same interface over a Redis Cluster, in the feature `cluster` |
//! | `thread_pool` | three places to run jobs |
//! | `server`, `client`, [`protocol`] | the two ends of a connection, and what goes over it |
//! | `cli` | the programs |
//!
//! The features `server`, `sled` and `cli` are on by default. Without them (`default-features = false`) there are the
//! store and the client, with less than half of the crates.
//!
//! ```
//! # fn main() -> kvs_final::Result<()> {
//! # let dir = tempfile::tempdir()?;
//! use kvs_final::thread_pool::{SharedQueueThreadPool, ThreadPool};
//! use kvs_final::{KvStore, KvsClient, KvsServer};
//! use std::thread;
//!
//! let (store, pool) = (KvStore::open(dir.path())?, SharedQueueThreadPool::new(2)?);
//! let server = KvsServer::bind(([127, 0, 0, 1], 0).into(), store, pool)?;
//! let (addr, handle) = (server.local_addr()?, server.handle());
//! let running = thread::spawn(|| server.run());
//!
//! let mut client = KvsClient::connect(addr)?;
//! client.set("key".to_owned(), "value".to_owned())?;
//! assert_eq!(client.get("key".to_owned())?, Some("value".to_owned()));
//!
//! handle.shutdown();
//! running.join().unwrap()
//! # }
//! ```

// What only the programs use of the rest.
#![cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))]
// They panic where nobody reads.
#![cfg_attr(not(loom), warn(clippy::print_stderr, clippy::print_stdout))]

#[cfg(feature = "cli")]
pub mod cli;
mod client;
#[cfg(feature = "cluster")]
mod cluster;
mod data_dir;
pub mod disk;
mod engine;
mod engine_kind;
mod error;
mod kv_store;
mod limited_log;
#[cfg(loom)]
#[doc(hidden)]
pub mod models;
mod os;
mod panic;
mod process;
pub mod protocol;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "sled")]
mod sled_engine;
mod stats;
mod sync;
#[cfg(feature = "testing")]
pub mod sync_points;
#[cfg(feature = "server")]
pub mod thread_pool;

pub use client::{KvsClient, KvsClientOptions, Pending};
#[cfg(feature = "cluster")]
pub use cluster::{RedisClusterEngine, RedisClusterOptions};
pub use engine::{KvsEngine, Page, Write};
pub use engine_kind::EngineKind;
pub use error::{KvsError, Result};
pub use kv_store::{CheckReport, Durability, KvStore, KvStoreOptions, check, dump, salvage};
#[cfg(feature = "server")]
pub use server::{KvsServer, Limits, ServerHandle};
#[cfg(feature = "sled")]
pub use sled_engine::SledKvsEngine;
pub use stats::Stats;
