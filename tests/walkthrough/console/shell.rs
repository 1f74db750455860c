//! A bash that is told one command after the other.
//!
//! The output of each command goes to a file of its own, also when it goes on in the background, so
//! that it is known whose a line is. Job control is on, as in a terminal: each command is a process
//! group, `%1` is the first one in the background, and SIGINT reaches it.

use super::processes;
use super::programs::{ADDR, NAMES, SESSION, STAGE};
use kvs_test_kit::WATCHDOG;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::{env, fs, thread};
use tempfile::TempDir;

/// Those that it started end with it.
const PRELUDE: &str = "set -m\n\
    trap 'for job in $(jobs -p); do kill -9 -- -$job; done 2>/dev/null' EXIT\n";

pub struct Shell {
    bash: Child,
    stdin: Option<ChildStdin>,
    said: Receiver<String>,
    /// The working directory is `work`, what is first in `PATH` is `bin`.
    dir: TempDir,
    commands: usize,
}

/// What a command left behind.
pub struct Done {
    /// Where its output goes.
    pub output: PathBuf,
    /// The process groups of the jobs that there are now.
    pub jobs: Vec<u32>,
}

impl Shell {
    /// Starts one in a directory of its own, where programs are those of `stage`.
    pub fn start(stage: &str, addr: &str) -> Shell {
        let dir = TempDir::new().unwrap();
        for name in ["work", "bin", "control"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        for name in NAMES {
            symlink(env::current_exe().unwrap(), dir.path().join("bin").join(name)).unwrap();
        }
        let inherited = env::var_os("PATH").unwrap_or_default();
        let own = [dir.path().join("bin")];
        let path = env::join_paths(own.into_iter().chain(env::split_paths(&inherited))).unwrap();
        let mut bash = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .current_dir(dir.path().join("work"))
            .env("PATH", path)
            .env("HOME", dir.path().join("work"))
            .env("LC_ALL", "C")
            .env(SESSION, dir.path())
            .env(STAGE, stage)
            .env(ADDR, addr)
            .env_remove("BASH_ENV")
            .env_remove("RUST_LOG")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = bash.stdin.take().unwrap();
        stdin.write_all(PRELUDE.as_bytes()).unwrap();
        let lines = BufReader::new(bash.stdout.take().unwrap()).lines();
        let (say, said) = mpsc::channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| say.send(line)));
        Shell { bash, stdin: Some(stdin), said, dir, commands: 0 }
    }

    /// Runs a command until the shell would take the next one.
    ///
    /// # Errors
    /// In words, if that does not come or the shell has ended.
    pub fn run(&mut self, command: &str) -> Result<Done, String> {
        self.commands += 1;
        let number = self.commands;
        let control = self.dir.path().join("control");
        let output = control.join(format!("{number}.out"));
        fs::write(control.join(format!("{number}.command")), command).unwrap();
        // `eval`, so that a quote that is not closed does not swallow what follows.
        let line = format!(
            "eval \"$(<\"${SESSION}/control/{number}.command\")\" \
             </dev/null >\"${SESSION}/control/{number}.out\" 2>&1; echo $(jobs -p)\n"
        );
        // A shell that has ended shows when nothing comes from it.
        let _ = self.stdin.as_mut().unwrap().write_all(line.as_bytes());
        let said = self.said.recv_timeout(WATCHDOG).map_err(|error| match error {
            RecvTimeoutError::Timeout => "it does not end",
            RecvTimeoutError::Disconnected => "the shell has ended",
        })?;
        let jobs = said.split_whitespace().map(|group| group.parse().unwrap()).collect();
        Ok(Done { output, jobs })
    }

    /// The process groups of some jobs, such as `%1`.
    ///
    /// # Errors
    /// As [`Shell::run`] has them.
    pub fn groups(&mut self, jobs: &[&str]) -> Result<Vec<u32>, String> {
        let done = self.run(&format!("jobs -p {}", jobs.join(" ")))?;
        let groups = fs::read_to_string(done.output).unwrap();
        Ok(groups.lines().filter_map(|group| group.parse().ok()).collect())
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.stdin.take());
        processes::kill_session(self.dir());
        let _ = self.bash.wait();
    }
}
