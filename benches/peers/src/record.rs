//! What was measured, on what, as a file: every sample, so that the tables can be made again.

use crate::Outcome;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

/// All samples of one revision on one machine.
#[derive(Serialize, Deserialize)]
pub(crate) struct Record<Sample> {
    pub(crate) conditions: Conditions,
    /// The day of the first sample, in UTC.
    pub(crate) date: String,
    /// In the order in which they were taken.
    pub(crate) samples: Vec<Sample>,
}

/// What has to be the same for samples that stand in one table.
#[derive(PartialEq, Serialize, Deserialize)]
pub(crate) struct Conditions {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    /// Of the directory that the stores are in.
    pub(crate) file_system: String,
    /// The last commit that changed `final`, with a `+` if there were changes without a commit, or
    /// in this program.
    pub(crate) revision: String,
    pub(crate) keys: u64,
    pub(crate) seconds: f64,
    /// The versions of those that were not built with this program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) programs: BTreeMap<String, String>,
}

impl<Sample: Serialize + DeserializeOwned> Record<Sample> {
    /// One without samples, of this machine and revision.
    pub(crate) fn new(
        keys: u64,
        seconds: f64,
        programs: BTreeMap<String, String>,
    ) -> Outcome<Record<Sample>> {
        let cpu_info = fs::read_to_string("/proc/cpuinfo")?;
        let cpu = cpu_info.lines().find(|line| line.starts_with("model name"));
        let cpu = cpu.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, name)| name);
        let memory = fs::read_to_string("/proc/meminfo")?;
        let kib = memory.split_whitespace().nth(1).ok_or("/proc/meminfo has no total")?;
        let conditions = Conditions {
            cpu: cpu.trim().to_owned(),
            cores: thread::available_parallelism()?.get(),
            memory_gib: kib.parse::<u64>()?.div_ceil(1 << 20),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            file_system: file_system(&std::env::temp_dir())?,
            revision: revision()?,
            keys,
            seconds,
            programs,
        };
        let date = output("date", &["-u", "+%Y-%m-%d"])?;
        Ok(Record { conditions, date, samples: Vec::new() })
    }

    pub(crate) fn read(path: &Path) -> Outcome<Record<Sample>> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()).into())
    }

    /// With the samples that the file has already.
    ///
    /// # Errors
    /// If those were taken under other conditions.
    pub(crate) fn continued(self, path: &Path) -> Outcome<Record<Sample>> {
        if !path.exists() {
            return Ok(self);
        }
        let record = Record::<Sample>::read(path)?;
        if record.conditions != self.conditions {
            let path = path.display();
            let what = "was taken on another machine or revision, or with other numbers";
            return Err(format!("{path} {what}; remove it, or name another file").into());
        }
        Ok(record)
    }

    pub(crate) fn write(&self, path: &Path) -> Outcome<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()).into())
    }
}

/// The revision of what was built.
fn revision() -> Outcome<String> {
    let dir = env!("CARGO_MANIFEST_DIR");
    let engine = "../../final/src";
    let commit =
        output("git", &["-C", dir, "log", "-1", "--format=%h", "--abbrev=12", "--", engine])?;
    let status = output("git", &["-C", dir, "status", "--porcelain", "--", "src", engine])?;
    let changed = !status.is_empty();
    Ok(commit + if changed { "+" } else { "" })
}

/// The kind of the file system that a directory is in.
fn file_system(dir: &Path) -> Outcome<String> {
    let dir = dir.canonicalize()?;
    let mounts = fs::read_to_string("/proc/mounts")?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let around = mounts.filter(|(place, _)| dir.starts_with(place));
    let nearest = around.max_by_key(|(place, _)| place.len());
    Ok(nearest.ok_or("no file system has the temporary directory")?.1.to_owned())
}

fn output(program: &str, args: &[&str]) -> Outcome<String> {
    let output =
        Command::new(program).args(args).output().map_err(|e| format!("{program}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
impl Conditions {
    /// Those of no machine.
    pub(crate) fn example() -> Conditions {
        Conditions {
            cpu: "C".into(),
            cores: 2,
            memory_gib: 3,
            kernel: "6".into(),
            file_system: "ext4".into(),
            revision: "abc".into(),
            keys: 1_000_000,
            seconds: 2.0,
            programs: BTreeMap::new(),
        }
    }
}
