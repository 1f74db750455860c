//! A part of a test that runs in a process of its own, since it ends its process or never ends, or wants
//! a process with limits, or one in which nobody else does anything.

use crate::wait::{WATCHDOG, happens, until_some};
use std::any::type_name;
use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use tempfile::TempDir;

/// Names the test in the environment of its process.
const TEST: &str = "KVS_TEST_APART";
/// For [`Child::runs_after`]: a gigabyte of addresses, and a hundred megabytes of them for each stack. A handful of
/// threads fit, and what they need besides always does.
pub const FEW_THREADS: &str =
    "ulimit -v 1000000; export RUST_MIN_STACK=104857600 MALLOC_ARENA_MAX=1";
/// What the process says first.
const BEGINS: &str = "here begins ";

/// The process. It works in a directory that goes with it, and what it has to say it says to
/// standard error.
pub struct Child {
    process: process::Child,
    said: Receiver<String>,
    dir: TempDir,
}

impl Child {
    /// Runs `work`, a closure in a test, in a process of its own, which ends when that is done.
    pub fn runs<F: FnOnce()>(work: F) -> Child {
        Child::runs_by(Command::new("env"), work)
    }

    /// The same after a shell has done something to the process, set a limit for instance.
    pub fn runs_after<F: FnOnce()>(preparation: &str, work: F) -> Child {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{preparation}; exec \"$0\" \"$@\"")]);
        Child::runs_by(shell, work)
    }

    /// The same by a program whose arguments end with a command to be run.
    pub fn runs_by<F: FnOnce()>(mut program: Command, work: F) -> Child {
        // That of the test is a part of the closure's.
        let (_, name) = type_name::<F>().split_once("::").unwrap();
        let test = name.strip_suffix("::{{closure}}").unwrap();
        if env::var(TEST).is_ok_and(|here| here == test) {
            eprintln!("{BEGINS}{test}");
            work();
            process::exit(0);
        }
        let dir = TempDir::new().unwrap();
        program.arg(env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
        program.env(TEST, test).env_remove("RUST_BACKTRACE").current_dir(dir.path());
        program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = program.spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (say, said) = mpsc::channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| say.send(line)));
        let child = Child { process, said, dir };
        child.says(BEGINS);
        child
    }

    /// Whether this is such a process.
    pub fn is_this() -> bool {
        env::var_os(TEST).is_some()
    }

    /// The directory that it works in.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it says a line with `words` in it, and returns what comes after them.
    pub fn says(&self, words: &str) -> String {
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
    pub fn sleeps_for_ever(&mut self) -> bool {
        !happens(self.process.id(), || self.process.try_wait().unwrap().is_some())
    }

    /// Waits for its end.
    pub fn end(&mut self) -> ExitStatus {
        while let Ok(line) = self.said.recv_timeout(WATCHDOG) {
            println!("| {line}");
        }
        until_some("it ends", || self.process.try_wait().unwrap())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
