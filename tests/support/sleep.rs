//! Concludes that a process will do nothing more by itself, without measuring a time.

use std::time::{Duration, Instant};

/// How often in a row it has to be found asleep. Data that was sent over loopback is there before
/// the sender goes on, so a process that will act on it is awake by then; the repetition covers a
/// machine that is late.
const ASLEEP: usize = 50;
/// Between two looks.
pub const LOOK: Duration = Duration::from_millis(2);

/// A thread's state and how often it was switched to.
type Task = (char, u64);

/// Watches whether all threads of some processes sleep and none has run between two looks.
pub struct Sleep {
    since: Instant,
    watchdog: Duration,
    last: Vec<Task>,
    looks: usize,
}

impl Sleep {
    /// # Panics
    /// A later [`is_deep`](Sleep::is_deep) does, once the watchdog's time is over.
    pub fn watch(watchdog: Duration) -> Sleep {
        Sleep { since: Instant::now(), watchdog, last: Vec::new(), looks: 0 }
    }

    /// Takes a look. A process that is gone sleeps.
    pub fn is_deep(&mut self, processes: &[u32]) -> bool {
        let tasks: Vec<Task> = processes.iter().flat_map(|process| tasks(*process)).collect();
        let asleep = tasks.iter().all(|(state, _)| *state == 'S');
        self.looks = if asleep && tasks == self.last { self.looks + 1 } else { 0 };
        self.last = tasks;
        assert!(self.since.elapsed() < self.watchdog, "it never sleeps");
        self.looks >= ASLEEP
    }
}

/// The threads of a process; none if it is gone.
pub fn tasks(process: u32) -> Vec<Task> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else {
        return Vec::new();
    };
    let status = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.ok()?.path().join("status")).ok()?;
        let field = |name: &str| text.split_once(name)?.1.split_whitespace().next();
        let state = field("State:")?.chars().next()?;
        let switches = ["\nvoluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"];
        let counts = switches.map(|name| field(name).and_then(|n| n.parse::<u64>().ok()));
        Some((state, counts[0]? + counts[1]?))
    };
    tasks.filter_map(status).filter(|(state, _)| *state != 'Z').collect()
}
