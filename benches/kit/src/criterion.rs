//! What Criterion has estimated, for a record.

use crate::{Outcome, Record, derived};
use serde_json::Value;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Measures. If the environment has `KVS_RECORD=keep`, what was found becomes a round of that record:
/// one like `new`, to which `add` adds what `measure` has found and what Criterion has estimated.
///
/// # Errors
/// If the record was taken under other conditions, or not all was measured.
pub fn keep_if_asked<T>(
    record: &str,
    new: impl FnOnce() -> Outcome<Record>,
    measure: impl FnOnce() -> T,
    add: impl FnOnce(T, &Estimates, &mut Record) -> Outcome<()>,
) -> Outcome<()> {
    if env::var("KVS_RECORD").as_deref() != Ok("keep") {
        measure();
        return Ok(());
    }
    let path = derived::path(Path::new(ROOT), record);
    let mut record = new()?.continued(&path)?;
    let estimates = Estimates::from_now()?;
    add(measure(), &estimates, &mut record)?;
    record.write(&path)
}

/// The root of the workspace.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The estimates of one run of a bench.
pub struct Estimates {
    dir: PathBuf,
    start: SystemTime,
}

impl Estimates {
    /// Those of the run that begins now. Criterion puts them beside the directory of the profile that
    /// this program is in.
    ///
    /// # Errors
    /// If this program is in no target directory.
    fn from_now() -> Outcome<Estimates> {
        let program = env::current_exe()?;
        let target = program.ancestors().nth(3).ok_or("this program is in no target directory")?;
        Ok(Estimates { dir: target.join("criterion"), start: SystemTime::now() })
    }

    /// The seconds an iteration takes, as Criterion prints them: by the slope over the number of
    /// iterations if it has varied that number, by the mean otherwise. `of` is the group, the function
    /// and the parameter, with `/` between.
    ///
    /// # Errors
    /// If it is from before the start: then a part was left out this time.
    pub fn seconds(&self, of: &str) -> Outcome<f64> {
        let path = self.dir.join(of).join("new/estimates.json");
        self.read(&path).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    fn read(&self, path: &Path) -> Outcome<f64> {
        if fs::metadata(path)?.modified()? < self.start {
            return Err("is of another run; a record is kept of all or of nothing".into());
        }
        let estimates: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
        let nanoseconds =
            ["slope", "mean"].iter().find_map(|e| estimates[e]["point_estimate"].as_f64());
        Ok(nanoseconds.ok_or("has no estimate")? / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_of_an_earlier_run_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("lock/mutex/2/new");
        fs::create_dir_all(&new).unwrap();
        let text = r#"{"mean":{"point_estimate":3.0},"slope":{"point_estimate":2.0}}"#;
        let start = SystemTime::now() - std::time::Duration::from_secs(60);
        fs::write(new.join("estimates.json"), text).unwrap();
        let mut estimates = Estimates { dir: dir.path().to_owned(), start };
        assert_eq!(estimates.seconds("lock/mutex/2").unwrap(), 2e-9);
        estimates.start = SystemTime::now() + std::time::Duration::from_secs(60);
        let error = estimates.seconds("lock/mutex/2").unwrap_err().to_string();
        assert!(error.contains("another run"), "{error}");
    }
}
