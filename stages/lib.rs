//! One stage of the tutorial under the name `kvs`.
//!
//! The feature `stage-N` picks stage N; without a feature it is `final`. The tests and the benches
//! are written against this name, so that the same source runs on every stage that has the item.
//! This example is a test too:
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
#[cfg(stage = "0")]
pub use start::*;
#[cfg(stage = "3")]
pub use threaded_server::*;
