//! What no stage of the tutorial is about, and what is therefore here once: the error type, the wire
//! protocol, the client, the format of the log, the data directory, the command line and signals.

pub mod cli;
mod client;
mod data_dir;
mod error;
pub mod options;
pub mod protocol;
pub mod record_log;
mod seldom;
pub mod signals;
mod stats;
pub mod sync_points;

pub use client::KvsClient;
pub use data_dir::{DataDir, EngineKind};
pub use error::{KvsError, Result};
pub use seldom::warn_seldom;
pub use stats::Stats;
