//! Log lines that others can cause, as many as they like: written now and then, with a count.

use std::fmt::Display;
use std::mem;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The least time between two lines about the same.
const INTERVAL: Duration = Duration::from_secs(5);

/// Warnings about one kind of thing: the first one, then at most one in five seconds, which says how
/// often it has happened since, and what was the last.
#[derive(Debug)]
pub(crate) struct LimitedLog {
    what: &'static str,
    /// Locked for a look; a line is written when it is unlocked.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Until when nothing is said.
    quiet: Option<Instant>,
    count: u64,
    last: String,
}

impl LimitedLog {
    /// `what` happens.
    pub(crate) const fn new(what: &'static str) -> LimitedLog {
        let state = Mutex::new(State { quiet: None, count: 0, last: String::new() });
        LimitedLog { what, state }
    }

    /// It has happened.
    pub(crate) fn warn(&self, detail: impl Display) {
        self.write(Some(detail.to_string()));
    }

    /// Says what has happened and was not said, if it is time. To be called every so often.
    pub(crate) fn flush(&self) {
        self.write(None);
    }

    fn write(&self, detail: Option<String>) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(detail) = detail {
            state.count += 1;
            state.last = detail;
        }
        if state.count == 0 || state.quiet.is_some_and(|end| now < end) {
            return;
        }
        state.quiet = Some(now + INTERVAL);
        let (what, last) = (self.what, mem::take(&mut state.last));
        let count = mem::take(&mut state.count);
        drop(state);
        match count {
            1 => log::warn!("{what}: {last}"),
            count => log::warn!("{what}: {count} times more, the last: {last}"),
        }
    }
}
