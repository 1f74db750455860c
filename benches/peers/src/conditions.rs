//! What has to be the same for samples that stand in one table.

use crate::record::{Machine, Outcome, output};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All samples of one revision on one machine.
pub(crate) type Record<Sample> = crate::record::Record<Conditions, Sample>;

/// What has to be the same for samples that stand in one table.
#[derive(PartialEq, Serialize, Deserialize)]
pub(crate) struct Conditions {
    #[serde(flatten)]
    pub(crate) machine: Machine,
    /// The last commit that changed `final`, with a `+` if there were changes without a commit, or
    /// in this program.
    pub(crate) revision: String,
    pub(crate) keys: u64,
    pub(crate) seconds: f64,
    /// The versions of those that were not built with this program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) programs: BTreeMap<String, String>,
}

impl Conditions {
    /// Those of this machine and revision.
    pub(crate) fn here(
        keys: u64,
        seconds: f64,
        programs: BTreeMap<String, String>,
    ) -> Outcome<Conditions> {
        let machine = Machine::here(&std::env::temp_dir())?;
        Ok(Conditions { machine, revision: revision()?, keys, seconds, programs })
    }
}

/// The revision of what was built.
fn revision() -> Outcome<String> {
    let dir = env!("CARGO_MANIFEST_DIR");
    let engine = "../../final/src";
    let commit =
        output("git", &["-C", dir, "log", "-1", "--format=%h", "--abbrev=12", "--", engine])?;
    let sources = ["src", "../support", engine];
    let status = ["-C", dir, "status", "--porcelain", "--"];
    let changed = !output("git", &[&status[..], &sources].concat())?.is_empty();
    Ok(commit + if changed { "+" } else { "" })
}

#[cfg(test)]
impl Conditions {
    /// Those of no machine.
    pub(crate) fn example() -> Conditions {
        Conditions {
            machine: Machine {
                cpu: "C".into(),
                cores: 2,
                memory_gib: 3,
                kernel: "6".into(),
                file_system: "ext4".into(),
            },
            revision: "abc".into(),
            keys: 1_000_000,
            seconds: 2.0,
            programs: BTreeMap::new(),
        }
    }
}
