//! The threads of a process, as `/proc` shows them.

use std::fs::{self, DirEntry};

/// A thread at some moment.
#[derive(Debug, PartialEq, Eq)]
pub struct Task {
    pub number: u32,
    /// `S` if it sleeps, `R` if it runs or could run.
    pub state: char,
    /// How often it was switched to or away from.
    pub switches: u64,
}

/// The threads of process `pid`. None if it is gone.
pub fn tasks(pid: u32) -> Vec<Task> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    tasks.filter_map(|task| look(&task.ok()?)).filter(|task| task.state != 'Z').collect()
}

/// None if the thread has ended meanwhile.
fn look(task: &DirEntry) -> Option<Task> {
    let text = fs::read_to_string(task.path().join("status")).ok()?;
    let field = |name: &str| text.split_once(name)?.1.split_whitespace().next();
    let count = |name| field(name)?.parse::<u64>().ok();
    Some(Task {
        number: task.file_name().to_str()?.parse().ok()?,
        state: field("State:")?.chars().next()?,
        switches: count("\nvoluntary_ctxt_switches:")? + count("nonvoluntary_ctxt_switches:")?,
    })
}
