//! One stage of the tutorial under the name `kvs`.
//!
//! The feature `stage-N` picks stage N; without a feature it is `final`. The tests and the benches
//! are written against this name, so that the same source runs on every stage that has the item.
//! These examples are tests too:
//!
//! ```
//! # fn main() -> kvs::Result<()> {
//! # let dir = tempfile::tempdir()?;
//! use kvs::{KvStore, KvsEngine};
//! let mut store = KvStore::open(dir.path())?;
//! store.set("key".to_owned(), "value".to_owned())?;
//! assert_eq!(store.get("key".to_owned())?, Some("value".to_owned()));
//! # Ok(())
//! # }
//! ```
//!
//! ```
//! # fn main() -> kvs::Result<()> {
//! use kvs::thread_pool::{NaiveThreadPool, ThreadPool};
//! use std::sync::mpsc;
//! let pool = NaiveThreadPool::new(1)?;
//! let (done, results) = mpsc::channel();
//! pool.spawn(move || done.send(6 * 7).unwrap());
//! assert_eq!(results.recv(), Ok(42));
//! # Ok(())
//! # }
//! ```

#[cfg(stage = "final")]
pub use kvs_final::*;
#[cfg(stage = "7")]
pub use lock_free::*;
#[cfg(stage = "1")]
pub use naive_pool::*;
#[cfg(stage = "5")]
pub use rayon_pool::*;
#[cfg(stage = "6")]
pub use rwlock::*;
#[cfg(stage = "2")]
pub use shared_engine::*;
#[cfg(stage = "4")]
pub use shared_queue::*;
#[cfg(stage = "3")]
pub use threaded_server::*;
