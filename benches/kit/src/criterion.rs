//! What Criterion has estimated, for a record.

use crate::record::Figures;
use crate::{Outcome, Record, derived};
use serde_json::Value;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Measures. If the environment has `KVS_RECORD=keep`, what was found becomes a round of that record:
/// one like `new`, to which is added what Criterion has estimated, and what else `measure` has found.
///
/// # Errors
/// If the record was taken under other conditions.
pub fn keep_if_asked(
    record: &str,
    new: impl FnOnce() -> Outcome<Record>,
    measure: impl FnOnce() -> BTreeMap<String, Figures>,
) -> Outcome<()> {
    if env::var("KVS_RECORD").as_deref() != Ok("keep") {
        measure();
        return Ok(());
    }
    let path = derived::path(Path::new(ROOT), record);
    let mut record = new()?.continued(&path)?;
    let start = SystemTime::now();
    let mut found = measure();
    // Criterion puts its estimates beside the directory of the profile that this program is in.
    let program = env::current_exe()?;
    let target = program.ancestors().nth(3).ok_or("this program is in no target directory")?;
    add_estimates(&target.join("criterion"), "", start, &mut found)?;
    found.into_iter().for_each(|(of, figures)| record.add(of, figures));
    record.write(&path)
}

/// The root of the workspace.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Adds the seconds an iteration takes, as Criterion prints them: by the slope over the number of
/// iterations if it has varied that number, by the mean otherwise. What they are of is the group, the
/// function and the parameter, with `/` between. Those from before the start are another run's.
fn add_estimates(
    dir: &Path,
    of: &str,
    start: SystemTime,
    found: &mut BTreeMap<String, Figures>,
) -> Outcome<()> {
    let file = dir.join("new/estimates.json");
    if file.exists() && fs::metadata(&file)?.modified()? >= start {
        let estimates: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
        let estimate = |by: &str| estimates[by]["point_estimate"].as_f64();
        let nanoseconds = estimate("slope").or_else(|| estimate("mean"));
        let seconds = nanoseconds.ok_or_else(|| format!("{of} has no estimate"))? / 1e9;
        found.entry(of.to_owned()).or_default().insert("seconds".to_owned(), seconds);
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.path().is_dir() {
            let of = format!("{of}/{}", entry.file_name().display());
            add_estimates(&entry.path(), of.trim_start_matches('/'), start, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_estimate_of_an_earlier_run_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("lock/mutex/2/new");
        fs::create_dir_all(&new).unwrap();
        let text = r#"{"mean":{"point_estimate":3.0},"slope":{"point_estimate":2.0}}"#;
        fs::write(new.join("estimates.json"), text).unwrap();
        let since = |start| {
            let mut found = BTreeMap::new();
            add_estimates(dir.path(), "", start, &mut found).unwrap();
            found
        };
        let now = SystemTime::now();
        let seconds = [("seconds".to_owned(), 2e-9)].into();
        assert_eq!(
            since(now - Duration::from_secs(60)),
            [("lock/mutex/2".to_owned(), seconds)].into()
        );
        assert!(since(now + Duration::from_secs(60)).is_empty());
    }
}
