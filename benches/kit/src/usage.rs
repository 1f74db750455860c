//! Processes that are measured, and what they have used, as the kernel counts it.

use crate::Outcome;
use procfs::FromRead;
use procfs::process::{Process, Status};
use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// A process that ends with this.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // If it has ended by itself there is nothing to kill; `wait` takes it in both cases.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// This program, as a process of that name, which tells it what it is to be.
///
/// # Errors
/// If it doesn't know where it is.
pub fn this_program_as(name: &str) -> Outcome<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.arg0(name);
    Ok(command)
}

/// What a process has used since it began.
#[derive(Clone, Copy)]
pub struct Usage {
    /// Seconds of CPU, in the program and in the kernel, of all threads that it ever had.
    pub cpu: f64,
    /// How often the threads that it has now left a processor to wait for something.
    pub waits: u64,
}

impl Usage {
    /// That of any process.
    ///
    /// # Errors
    /// If there is no such process.
    pub fn of(pid: u32) -> Outcome<Usage> {
        let process = Process::new(pid.try_into()?)?;
        let stat = process.stat()?;
        // A thread that ends just now has no status.
        let threads = process.tasks()?.filter_map(|thread| thread.and_then(|t| t.status()).ok());
        Ok(Usage {
            cpu: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
            waits: threads.map(|status| waits(&status)).sum(),
        })
    }
}

/// The seconds of CPU of all children of this process that have ended, and that it has waited for.
///
/// # Errors
/// If the kernel doesn't say.
pub fn cpu_of_children() -> Outcome<f64> {
    let stat = Process::myself()?.stat()?;
    Ok((stat.cutime + stat.cstime) as f64 / procfs::ticks_per_second() as f64)
}

/// How often the calling thread left its processor to wait for something.
///
/// # Errors
/// If the kernel doesn't say.
pub fn waits_of_this_thread() -> Outcome<u64> {
    Ok(waits(&Status::from_file("/proc/thread-self/status")?))
}

fn waits(thread: &Status) -> u64 {
    thread.voluntary_ctxt_switches.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits of other tests' threads count, too, and are lost when they end: each figure has to rise at some time.
    #[test]
    fn work_and_waits_are_counted() {
        let figures = || {
            let usage = Usage::of(std::process::id()).unwrap();
            (usage.cpu, usage.waits, waits_of_this_thread().unwrap())
        };
        let (cpu, waits, own) = figures();
        let rises = (0..100_000).any(|_| {
            std::thread::sleep(std::time::Duration::from_micros(100));
            let now = figures();
            now.0 > cpu && now.1 > waits && now.2 > own
        });
        assert!(rises, "{:?}, then {:?}", (cpu, waits, own), figures());
    }
}
