//! What a process has used, as the kernel counts it.

use crate::Outcome;
use rustix::param::clock_ticks_per_second;
use std::fs;

/// Since the process began.
#[derive(Clone, Copy)]
pub(super) struct Usage {
    /// Seconds of CPU, in the program and in the kernel, of all threads that it ever had.
    pub(super) cpu: f64,
    /// Context switches of the threads that it has now.
    pub(super) switches: u64,
}

impl Usage {
    pub(super) fn of(pid: u32) -> Outcome<Usage> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let ticks = ticks(&stat).ok_or("/proc/PID/stat is not as it should be")?;
        let mut switches = 0;
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread that ends just now has no status.
            let status = fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
            let lines = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
            switches += lines.filter_map(|(_, n)| n.trim().parse::<u64>().ok()).sum::<u64>();
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
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "12 (a) b) S 1 12 12 0 -1 4194560 101 0 0 0 30 4 0 0 20 0 3 0 99 1 2";
        assert_eq!(ticks(stat), Some(34));
        assert_eq!(ticks("12 (a) S 1"), None);
    }

    #[test]
    fn work_is_counted() {
        let me = std::process::id();
        let before = Usage::of(me).unwrap();
        let mut now = before;
        while now.cpu <= before.cpu || now.switches <= before.switches {
            std::thread::sleep(std::time::Duration::from_micros(100));
            now = Usage::of(me).unwrap();
        }
    }
}
