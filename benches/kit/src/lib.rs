//! What the benches share, and what `cargo xtask sync` makes from their records.
//!
//! A bench only measures. It leaves a [`Record`] in `benches/results/`, and whatever is derived from
//! that is made by [`derived`]: tables and figures for the texts.
//!
//! | module | |
//! |---|---|
//! | [`record`] | what was measured, on what machine and revision: a file of JSON |
//! | [`derived`] | the tables and figures of all records |
//! | [`tables`], [`peers`], `figures` | which figures of which record they show, and numbers as tables have them |
//! | `chart` | lines over the number of threads, and bars, as SVG |
//! | [`criterion`] | what Criterion has estimated, for a record |
//! | [`data`] | keys and values |
//! | [`repeat`] | threads that repeat something until the time is over |
//! | [`load`] | clients that do so over connections |
//! | [`usage`] | processes, and what they have used |
//! | [`options`] | the command lines |

mod chart;
pub mod criterion;
pub mod data;
pub mod derived;
mod figures;
pub mod load;
pub mod options;
pub mod peers;
pub mod record;
pub mod repeat;
pub mod tables;
pub mod usage;

pub use record::{Record, Unit};

/// A result with whatever went wrong, in a message.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
