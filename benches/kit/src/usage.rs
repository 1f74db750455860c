//! What a process has used, as the kernel counts it.

use crate::Outcome;
use nix::sys::resource::{UsageWho, getrusage};
use procfs::process::Process;
use std::ops::{Add, Sub};

/// What a process has used since it began.
#[derive(Clone, Copy)]
pub struct Usage {
    /// Seconds of CPU, in the program and in the kernel, of all threads that it ever had.
    pub cpu: f64,
    /// Of the threads that it has now.
    pub switches: Switches,
}

/// How often a thread, or several, left a processor.
#[derive(Clone, Copy, Default)]
pub struct Switches {
    /// To wait for something.
    pub voluntary: u64,
    /// Because it was another's turn.
    pub forced: u64,
}

impl Usage {
    /// That of any process.
    ///
    /// # Errors
    /// If there is no such process.
    pub fn of(pid: u32) -> Outcome<Usage> {
        let process = Process::new(pid.try_into()?)?;
        let stat = process.stat()?;
        let mut switches = Switches::default();
        for thread in process.tasks()? {
            // A thread that ends just now has no status.
            if let Ok(status) = thread.and_then(|thread| thread.status()) {
                switches = switches
                    + Switches {
                        voluntary: status.voluntary_ctxt_switches.unwrap_or(0),
                        forced: status.nonvoluntary_ctxt_switches.unwrap_or(0),
                    };
            }
        }
        Ok(Usage {
            cpu: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
            switches,
        })
    }
}

impl Switches {
    /// Those of the calling thread.
    ///
    /// # Errors
    /// If the kernel doesn't count.
    pub fn of_this_thread() -> Outcome<Switches> {
        Switches::counted(UsageWho::RUSAGE_THREAD)
    }

    /// Those of all threads that this process ever had.
    ///
    /// # Errors
    /// If the kernel doesn't count.
    pub fn of_this_process() -> Outcome<Switches> {
        Switches::counted(UsageWho::RUSAGE_SELF)
    }

    fn counted(who: UsageWho) -> Outcome<Switches> {
        let usage = getrusage(who)?;
        let count = |switches: i64| switches.unsigned_abs();
        Ok(Switches {
            voluntary: count(usage.voluntary_context_switches()),
            forced: count(usage.involuntary_context_switches()),
        })
    }
}

impl Add for Switches {
    type Output = Switches;

    fn add(self, other: Switches) -> Switches {
        Switches { voluntary: self.voluntary + other.voluntary, forced: self.forced + other.forced }
    }
}

/// Those since an earlier look. A thread that ended meanwhile took its count along.
impl Sub for Switches {
    type Output = Switches;

    fn sub(self, before: Switches) -> Switches {
        Switches {
            voluntary: self.voluntary.saturating_sub(before.voluntary),
            forced: self.forced.saturating_sub(before.forced),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted() {
        let me = std::process::id();
        let (before, thread_before) = (Usage::of(me).unwrap(), Switches::of_this_thread().unwrap());
        let mut now = before;
        while now.cpu <= before.cpu || (now.switches - before.switches).voluntary == 0 {
            std::thread::sleep(std::time::Duration::from_micros(100));
            now = Usage::of(me).unwrap();
        }
        let switches = Switches::of_this_thread().unwrap() - thread_before;
        assert!(switches.voluntary > 0);
        assert!(Switches::of_this_process().unwrap().voluntary >= switches.voluntary);
    }
}
