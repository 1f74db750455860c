//! That something does not happen, concluded without a clock.
//!
//! A process whose threads all sleep does nothing more until somebody outside wakes it. What has not
//! happened by then never will.
#![allow(dead_code)] // compiled into several tests, none of which uses all of it

#[path = "tasks.rs"]
mod tasks;

use super::server::WATCHDOG;
use std::thread;
use std::time::{Duration, Instant};
use tasks::{Task, tasks};

/// How often in a row a process has to be found asleep. Data that was sent over loopback is there
/// before the sender goes on, so a server that will act on it is awake by then; the repetition
/// covers a machine that is late.
const ASLEEP: usize = 50;

/// Waits until `event` has happened, or cannot happen because process `pid` sleeps or is gone.
/// Returns whether it has happened.
pub fn happens(pid: u32, event: impl FnMut() -> bool) -> bool {
    happens_in(|| vec![pid], event)
}

/// The same of all those processes that there are at the time.
pub fn happens_in(pids: impl Fn() -> Vec<u32>, mut event: impl FnMut() -> bool) -> bool {
    let mut sleep = Sleep::watch();
    while !event() {
        if sleep.is_deep(&pids()) {
            return event();
        }
        thread::sleep(Duration::from_millis(2));
    }
    true
}

/// Waits until process `pid` has done all that it can do for now.
pub fn settle(pid: u32) {
    happens(pid, || false);
}

/// How many threads process `pid` has.
pub fn threads(pid: u32) -> usize {
    tasks(pid).len()
}

/// Watches whether all threads of some processes sleep and none has run between two looks.
struct Sleep {
    since: Instant,
    last: Vec<Task>,
    looks: usize,
}

impl Sleep {
    fn watch() -> Sleep {
        Sleep { since: Instant::now(), last: Vec::new(), looks: 0 }
    }

    fn is_deep(&mut self, pids: &[u32]) -> bool {
        let tasks: Vec<_> = pids.iter().flat_map(|pid| tasks(*pid)).collect();
        let asleep = tasks.iter().all(|task| task.state == 'S');
        self.looks = if asleep && tasks == self.last { self.looks + 1 } else { 0 };
        self.last = tasks;
        assert!(self.since.elapsed() < WATCHDOG, "they never sleep");
        self.looks >= ASLEEP
    }
}
