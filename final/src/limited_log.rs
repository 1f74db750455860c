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
        if let Some(line) = self.line(detail, Instant::now()) {
            log::warn!("{line}");
        }
    }

    /// Perhaps with one more; the line that there is to write.
    fn line(&self, detail: Option<String>, now: Instant) -> Option<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(detail) = detail {
            state.count += 1;
            state.last = detail;
        }
        if state.count == 0 || state.quiet.is_some_and(|end| now < end) {
            return None;
        }
        state.quiet = Some(now + INTERVAL);
        let last = mem::take(&mut state.last);
        Some(match mem::take(&mut state.count) {
            1 => format!("{}: {last}", self.what),
            count => format!("{}: {count} times more, the last: {last}", self.what),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_said_at_once_and_the_others_by_their_number() {
        let (log, start) = (LimitedLog::new("it happens"), Instant::now());
        let at = |millis, detail: Option<&str>| {
            log.line(detail.map(str::to_owned), start + Duration::from_millis(millis))
        };
        assert_eq!(at(0, None), None);
        assert_eq!(at(0, Some("a")).unwrap(), "it happens: a");
        assert!(["b", "c", "d"].map(|detail| at(4_999, Some(detail))).iter().all(Option::is_none));
        assert_eq!(at(4_999, None), None);
        assert_eq!(at(5_000, None).unwrap(), "it happens: 3 times more, the last: d");
        assert_eq!(at(9_999, Some("e")), None);
        assert_eq!(at(10_000, Some("f")).unwrap(), "it happens: 2 times more, the last: f");
        assert_eq!(at(20_000, None), None);
        assert_eq!(at(20_000, Some("g")).unwrap(), "it happens: g");
    }
}
