//! The names of what is measured.

use serde::{Deserialize, Serialize};

/// What is measured: a step of the tutorial, or what it ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Stage {
    #[serde(rename = "stage-1")]
    NaivePool,
    #[serde(rename = "stage-2")]
    SharedEngine,
    #[serde(rename = "stage-3")]
    ThreadedServer,
    #[serde(rename = "stage-4")]
    SharedQueue,
    #[serde(rename = "stage-5")]
    Rayon,
    #[serde(rename = "stage-6")]
    RwLock,
    #[serde(rename = "stage-7")]
    LockFree,
    #[serde(rename = "final")]
    Final,
}

impl Stage {
    /// All, in the order in which they take turns.
    pub(crate) const ALL: [Stage; 8] = [
        Stage::NaivePool,
        Stage::SharedEngine,
        Stage::ThreadedServer,
        Stage::SharedQueue,
        Stage::Rayon,
        Stage::RwLock,
        Stage::LockFree,
        Stage::Final,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Stage::NaivePool => "stage-1",
            Stage::SharedEngine => "stage-2",
            Stage::ThreadedServer => "stage-3",
            Stage::SharedQueue => "stage-4",
            Stage::Rayon => "stage-5",
            Stage::RwLock => "stage-6",
            Stage::LockFree => "stage-7",
            Stage::Final => "final",
        }
    }
}
