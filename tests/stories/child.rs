//! A process for a story that ends its process, or never ends.

use kvs_test_kit::{WATCHDOG, until, wait};
use std::env;
use std::io::{BufRead, BufReader};
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use tempfile::TempDir;

/// Names the story in the environment of the process that tells it.
const STORY: &str = "KVS_STORY";

/// Whether this process was started to tell the story, which is the name of a test.
pub(crate) fn is_told_here(story: &str) -> bool {
    env::var(STORY).is_ok_and(|told| told == story)
}

/// The process. It works in a directory that goes with it, and what it has to say it says to
/// standard error.
pub(crate) struct Child {
    process: process::Child,
    said: Receiver<String>,
    _dir: TempDir,
}

impl Child {
    /// Runs the test called `story` in a process of its own.
    pub(crate) fn start(story: &str) -> Child {
        Child::start_by(Command::new("env"), story)
    }

    /// Runs it in a process to which a shell has done something before, set a limit for instance.
    pub(crate) fn start_after(preparation: &str, story: &str) -> Child {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{preparation}; exec \"$0\" \"$@\"")]);
        Child::start_by(shell, story)
    }

    /// Lets a program run it, whose arguments end with a command to be run.
    pub(crate) fn start_by(mut program: Command, story: &str) -> Child {
        let dir = TempDir::new().unwrap();
        program.arg(env::current_exe().unwrap()).args(["--exact", story, "--nocapture"]);
        program.env(STORY, story).env_remove("RUST_BACKTRACE").current_dir(dir.path());
        program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = program.spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (say, said) = mpsc::channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| say.send(line)));
        Child { process, said, _dir: dir }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it says a line with `words` in it, and returns what comes after them.
    pub(crate) fn says(&self, words: &str) -> String {
        loop {
            let line = self.said.recv_timeout(WATCHDOG);
            let line = line.unwrap_or_else(|_| panic!("it never says {words:?}"));
            println!("| {line}");
            if let Some((_, rest)) = line.split_once(words) {
                return rest.to_owned();
            }
        }
    }

    /// Waits until it ends, or cannot end any more because all its threads sleep.
    pub(crate) fn sleeps_for_ever(&mut self) -> bool {
        !wait::happens(self.process.id(), || self.process.try_wait().unwrap().is_some())
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> ExitStatus {
        while let Ok(line) = self.said.recv_timeout(WATCHDOG) {
            println!("| {line}");
        }
        let mut status = None;
        until("it ends", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
