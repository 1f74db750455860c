//! Waiting for events, and concluding without a clock that one will never come.
//!
//! A process whose threads all sleep does nothing more until somebody outside wakes it. What has not
//! happened by then never will.

use crate::process::{Task, tasks};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use std::{fs, process, thread};

/// Long enough for any answer on a busy machine; reached only when something is broken.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// How often in a row a process has to be found asleep. Data that was sent over loopback is there
/// before the sender goes on, so a server that will act on it is awake by then; the repetition
/// covers a machine that is late.
const ASLEEP: usize = 50;

/// Fails if `check` fails, or never comes to its end.
pub fn comes_to_an_end(check: impl FnOnce() + Send + 'static) {
    let (end, ended) = channel();
    thread::spawn(move || {
        check();
        end.send(()).unwrap();
    });
    ended.recv_timeout(WATCHDOG).expect("it has failed, or waits for ever");
}

/// Waits for an event that can only be asked for.
pub fn until(event: &str, mut happened: impl FnMut() -> bool) {
    until_some(event, || happened().then_some(()));
}

/// The same for an event that brings something.
pub fn until_some<T>(event: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(brought) = ask() {
            return brought;
        }
        assert!(since.elapsed() < WATCHDOG, "it never happens that {event}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until `event` has happened, or cannot happen because process `pid` sleeps or is gone.
/// Returns whether it has happened.
pub fn happens(pid: u32, mut event: impl FnMut() -> bool) -> bool {
    let mut sleep = Sleep::watch(pid, ASLEEP, None);
    while !event() {
        if sleep.is_deep() {
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

/// Waits until all threads of this process but the calling one sleep, in so many looks in a row.
pub fn settle_others(looks: usize) {
    let this = fs::read_link("/proc/thread-self").unwrap();
    let this = this.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let mut sleep = Sleep::watch(process::id(), looks, Some(this));
    while !sleep.is_deep() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Watches whether all threads of a process, but perhaps one, sleep and none has run between two looks.
struct Sleep {
    pid: u32,
    /// How many looks are wanted in a row.
    wanted: usize,
    awake: Option<i32>,
    since: Instant,
    last: Vec<Task>,
    looks: usize,
}

impl Sleep {
    fn watch(pid: u32, wanted: usize, awake: Option<i32>) -> Sleep {
        Sleep { pid, wanted, awake, since: Instant::now(), last: Vec::new(), looks: 0 }
    }

    fn is_deep(&mut self) -> bool {
        let mut tasks = tasks(self.pid);
        tasks.retain(|task| Some(task.number) != self.awake);
        let asleep = tasks.iter().all(|task| task.state == 'S');
        self.looks = if asleep && tasks == self.last { self.looks + 1 } else { 0 };
        self.last = tasks;
        assert!(self.since.elapsed() < WATCHDOG, "it never sleeps: {:?}", self.last);
        self.looks >= self.wanted
    }
}
