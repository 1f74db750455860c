//! The processes of a session, found in `/proc`.

use super::programs::SESSION;
use std::fs;
use std::path::Path;
use std::process::Command;

/// All processes of this machine.
fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The process group of a process, unless it has ended.
fn group(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Its name, which may have blanks, stands in parentheses; then: state, parent, group.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    (fields.next()? != "Z").then(|| fields.nth(1)?.parse().ok())?
}

/// The processes of some groups that have not ended.
pub fn of_groups(groups: &[u32]) -> Vec<u32> {
    all().filter(|process| group(*process).is_some_and(|id| groups.contains(&id))).collect()
}

/// Ends all that carry the session's mark in their environment, whoever started them.
pub fn kill_session(dir: &Path) {
    let mark = format!("{SESSION}={}", dir.display());
    let is_ours = |process: &u32| {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    loop {
        let ours: Vec<String> = all()
            .filter(is_ours)
            .filter(|process| group(*process).is_some())
            .map(|process| process.to_string())
            .collect();
        if ours.is_empty() {
            return;
        }
        // One that has just ended by itself is no failure.
        let _ = Command::new("kill").arg("-9").args(&ours).output();
    }
}
