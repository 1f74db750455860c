//! What a process has used, as the kernel counts it.

use crate::Outcome;
use rustix::param::clock_ticks_per_second;
use std::fs;
use std::ops::Add;

/// Since the process began.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// Seconds of CPU, in the program and in the kernel, of all threads that it ever had.
    pub(crate) cpu: f64,
    /// Of the threads that it has now.
    pub(crate) switches: Switches,
}

/// How often a thread, or several, left a processor.
#[derive(Clone, Copy, Default)]
pub(crate) struct Switches {
    /// To wait for something.
    pub(crate) voluntary: u64,
    /// Because it was another's turn.
    pub(crate) forced: u64,
}

impl Switches {
    /// What the file `status` says of a thread. Nothing, if it is empty: a thread that ends just now
    /// has none.
    pub(crate) fn parse(status: &str) -> Switches {
        let field = |name| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
        };
        let voluntary = field("voluntary_ctxt_switches");
        Switches { voluntary, forced: field("nonvoluntary_ctxt_switches") }
    }

    /// Those since an earlier look. A thread that ended meanwhile took its count along.
    pub(crate) fn since(self, before: Switches) -> Switches {
        Switches {
            voluntary: self.voluntary.saturating_sub(before.voluntary),
            forced: self.forced.saturating_sub(before.forced),
        }
    }
}

impl Add for Switches {
    type Output = Switches;

    fn add(self, other: Switches) -> Switches {
        Switches { voluntary: self.voluntary + other.voluntary, forced: self.forced + other.forced }
    }
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Outcome<Usage> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let ticks = ticks(&stat).ok_or("/proc/PID/stat is not as it should be")?;
        let mut switches = Switches::default();
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let status = fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
            switches = switches + Switches::parse(&status);
        }
        Ok(Usage { cpu: ticks as f64 / clock_ticks_per_second() as f64, switches })
    }
}

/// `utime` and `stime`, the fields 14 and 15. The second is the program's name, in brackets, and may
/// have blanks and brackets itself.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
#[allow(unused)] // a bench without a harness is built with `test`, and has no tests
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "12 (a) b) S 1 12 12 0 -1 4194560 101 0 0 0 30 4 0 0 20 0 3 0 99 1 2";
        assert_eq!(ticks(stat), Some(34));
        assert_eq!(ticks("12 (a) S 1"), None);
    }

    #[test]
    fn waiting_is_told_from_being_sent_away() {
        let status = "Name:\ta\nvoluntary_ctxt_switches:\t30\nnonvoluntary_ctxt_switches:\t4\n";
        let Switches { voluntary, forced } = Switches::parse(status) + Switches::parse("");
        assert_eq!((voluntary, forced), (30, 4));
    }

    #[test]
    fn work_is_counted() {
        let me = std::process::id();
        let before = Usage::of(me).unwrap();
        let mut now = before;
        while now.cpu <= before.cpu || now.switches.since(before.switches).voluntary == 0 {
            std::thread::sleep(std::time::Duration::from_micros(100));
            now = Usage::of(me).unwrap();
        }
    }
}
