//! What was measured, on what, as a file: every sample, so that tables and figures can be made again.
//!
//! For every bench that leaves a record in `benches/results/`. It brings two types of its own: the
//! conditions, which must be the same for all samples of one record (with a [`Machine`] in them, best
//! flattened by serde), and the sample.
//!
//! ```ignore
//! #[path = "../support/record.rs"]
//! mod record;
//! use record::{Machine, Outcome, Record};
//!
//! let conditions = Conditions { machine: Machine::here(&dir)?, keys, seconds };
//! let mut record = Record::new(conditions)?.continued(&path)?;
//! record.samples.push(sample);
//! record.write(&path)?;
//! ```
#![allow(dead_code)] // compiled into several benches and tests; one that only reads writes none

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

/// A result with whatever went wrong, in words. The other files here know it as `crate::Outcome`.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// All samples that were taken under the same conditions.
#[derive(Serialize, Deserialize)]
pub(crate) struct Record<Conditions, Sample> {
    pub(crate) conditions: Conditions,
    /// The day of the first sample, in UTC.
    pub(crate) date: String,
    /// In the order in which they were taken.
    pub(crate) samples: Vec<Sample>,
}

impl<Conditions, Sample> Record<Conditions, Sample>
where
    Conditions: PartialEq + Serialize + DeserializeOwned,
    Sample: Serialize + DeserializeOwned,
{
    /// One without samples, of today.
    pub(crate) fn new(conditions: Conditions) -> Outcome<Self> {
        let date = output("date", &["-u", "+%Y-%m-%d"])?;
        Ok(Record { conditions, date, samples: Vec::new() })
    }

    /// What a file has.
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()).into())
    }

    /// With the samples that the file has already, if it is there.
    ///
    /// # Errors
    /// If those were taken under other conditions.
    pub(crate) fn continued(self, path: &Path) -> Outcome<Self> {
        if !path.exists() {
            return Ok(self);
        }
        let record = Self::read(path)?;
        if record.conditions != self.conditions {
            let path = path.display();
            let what = "was taken on another machine or revision, or with other numbers";
            return Err(format!("{path} {what}; remove it, or name another file").into());
        }
        Ok(record)
    }

    /// Puts it into a file, a sample a line.
    pub(crate) fn write(&self, path: &Path) -> Outcome<()> {
        let conditions = serde_json::to_string_pretty(&self.conditions)?.replace('\n', "\n  ");
        let date = serde_json::to_string(&self.date)?;
        let samples: Result<Vec<_>, _> = self.samples.iter().map(serde_json::to_string).collect();
        let samples = samples?.join(",\n    ");
        let text = format!(
            "{{\n  \"conditions\": {conditions},\n  \"date\": {date},\n  \"samples\": [\n    {samples}\n  ]\n}}\n"
        );
        fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()).into())
    }
}

/// The machine that this runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    /// Of the directory that the stores are in.
    pub(crate) file_system: String,
}

impl Machine {
    /// This one, with the file system of a directory.
    pub(crate) fn here(stores: &Path) -> Outcome<Machine> {
        let cpu_info = fs::read_to_string("/proc/cpuinfo")?;
        let cpu = cpu_info.lines().find(|line| line.starts_with("model name"));
        let cpu = cpu.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, name)| name);
        let memory = fs::read_to_string("/proc/meminfo")?;
        let kib = memory.split_whitespace().nth(1).ok_or("/proc/meminfo has no total")?;
        Ok(Machine {
            cpu: cpu.trim().to_owned(),
            cores: thread::available_parallelism()?.get(),
            memory_gib: kib.parse::<u64>()?.div_ceil(1 << 20),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            file_system: file_system(stores)?,
        })
    }
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
    Ok(nearest.ok_or("no file system has the directory of the stores")?.1.to_owned())
}

/// The revision of the code that is measured; with a `+` if something was not committed.
///
/// # Errors
/// If there is no git.
pub(crate) fn revision() -> Outcome<String> {
    let git = |args: &[&str]| output("git", &[&["-C", env!("CARGO_MANIFEST_DIR")], args].concat());
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Ok(git(&["rev-parse", "--short=12", "HEAD"])? + if changes.is_empty() { "" } else { "+" })
}

/// What a program prints.
///
/// # Errors
/// If it is not there, or fails.
pub(crate) fn output(program: &str, args: &[&str]) -> Outcome<String> {
    let output =
        Command::new(program).args(args).output().map_err(|e| format!("{program}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
#[allow(unused)] // a bench without a harness is built with `test`, and has no tests
mod tests {
    use super::*;

    #[test]
    fn a_record_goes_on_under_its_conditions_and_under_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record.json");
        let here = || (Machine::here(dir.path()).unwrap(), 7);
        for samples in 1..=2 {
            let new = Record::new(here()).unwrap();
            let mut record: Record<(Machine, i32), [f64; 2]> = new.continued(&path).unwrap();
            record.samples.push([0.5, 1.0]);
            assert_eq!(record.samples.len(), samples);
            record.write(&path).unwrap();
        }
        let other = Record::<_, [f64; 2]>::new((here().0, 8)).unwrap();
        let refused = other.continued(&path).err().unwrap().to_string();
        assert!(refused.contains("with other numbers"), "{refused}");
    }
}
