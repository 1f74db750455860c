//! The console sessions of a text run, and what comes is what the text shows.
//!
//! A block `console stage=N` is a session: one bash, in an empty directory of its own, that is given one
//! command after the other. All that it and its jobs print is one stream, as in a terminal. After each
//! command the lines that the text shows have to come, and no others, before the next one is given.
//! What the shell itself says of its jobs (`[1] 4711`) is neither shown nor seen.
//!
//! `cargo run` starts programs that were built before (`cargo` below), of stage N unless it names another,
//! on a port of the session's own that stands for 4000. After `kill %1` the session waits for that job to end.
//!
//! A block without `stage=` is not run, and may only build and start something.

use crate::compiled::Stage;
use crate::text::{Fence, fences, lines_match};
use crate::tree::Problem;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};
use tempfile::TempDir;

/// How long the lines of a command may take to come; as long only if something is wrong.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Job control as in a terminal. What is left of the jobs ends with the shell.
const PRELUDE: &str = r#"
set -m
trap 'for job in $(jobs -p); do builtin kill -9 -- -$job; done 2>/dev/null' EXIT
kill() {
    builtin kill "$@" || return
    for job in "$@"; do
        case $job in %*) wait "$job" ;; esac
    done 2>/dev/null
    return 0
}
"#;

/// `cargo`, as a session finds it: it becomes the program that `cargo run` would run. Called `kvs`, it is what
/// `cargo install` would have put there.
const CARGO: &str = r#"#!/bin/bash
stage=$STAGE program=kvs-server
case "$0 $1" in
    */kvs\ *) set -- run -p final -- "$@" ;;
    *\ run) ;;
    *) echo "only 'cargo run' is run here" >&2; exit 1 ;;
esac
shift
while :; do
    case $1 in
        --release) ;;
        --features) stage=${2#stage-}; shift ;;
        --bin) program=$2; shift ;;
        -p) program=kvs stage=final; shift ;;
        --) shift; break ;;
        *) break ;;
    esac
    shift
done
case "$program $1" in
    kvs-server*) set -- --addr "$ADDR" "$@" ;;
    *' get' | *' set' | *' rm' | *' server' | *' client' | *' stats' | *' bench')
        set -- "$1" --addr "$ADDR" "${@:2}" ;;
esac
exec "$PROGRAMS/$stage/$program" "$@"
"#;

/// What goes otherwise than the text shows.
pub(crate) fn check(file: &str, text: &str, stages: &BTreeMap<String, Stage>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for fence in fences(text).iter().filter(|fence| fence.language == "console") {
        let result = match fence.get("stage").map(|stage| stages.get(stage)) {
            None => is_plain(fence),
            Some(None) => Err((0, "`stage=` names no stage".to_owned())),
            Some(Some(stage)) => run(fence.text, &stage.programs),
        };
        problems
            .extend(result.err().map(|(at, message)| Problem::new(file, fence.line + at, message)));
    }
    problems
}

/// A line of a block, from 1, and what is wrong there.
type Wrong = (usize, String);

/// A command, and what is to come of it.
struct Step<'a> {
    line: usize,
    /// Several lines if it goes on after a `\`.
    command: String,
    expected: Vec<&'a str>,
}

fn steps(text: &str) -> Result<Vec<Step<'_>>, Wrong> {
    let mut steps: Vec<Step> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            let command = command.trim_end().to_owned();
            steps.push(Step { line: at + 1, command, expected: Vec::new() });
            continue;
        }
        let step = steps.last_mut().ok_or((1, "the first line is no command".to_owned()))?;
        match line.strip_prefix("> ") {
            Some(more) if step.command.ends_with('\\') => step.command += &format!("\n{more}"),
            _ => step.expected.push(line),
        }
    }
    Ok(steps)
}

/// A block that is not run may not have anything that could be wrong.
fn is_plain(fence: &Fence) -> Result<(), Wrong> {
    const COMMANDS: [&str; 5] = ["cargo ", "RUSTFLAGS=", "unshare ", "git clone ", "cd "];
    for step in steps(fence.text)? {
        let begins = COMMANDS.iter().any(|begin| step.command.starts_with(begin));
        if !begins || !step.expected.is_empty() {
            let message = "without `stage=` a block is not run, and may have no output and only \
                           commands that build, fetch or start";
            return Err((step.line, message.to_owned()));
        }
    }
    Ok(())
}

/// Runs a session up to the first command that goes wrong.
fn run(text: &str, programs: &Path) -> Result<(), Wrong> {
    let steps = steps(text)?;
    let mut shell = Shell::start(programs).map_err(|error| (0, error.to_string()))?;
    for step in steps {
        let wrong = |message| (step.line, format!("{}: {message}", step.command));
        shell.step(&step.command, &step.expected).map_err(wrong)?;
    }
    Ok(())
}

/// A bash that is told one command after the other.
struct Shell {
    bash: Child,
    stdin: Option<ChildStdin>,
    said: Receiver<Said>,
    /// What stands for 4000.
    port: u16,
    _dir: TempDir,
}

enum Said {
    Line(String),
    /// The shell would take the next command; whether it has jobs that run.
    Done(bool),
}

impl Shell {
    fn start(programs: &Path) -> io::Result<Shell> {
        let dir = TempDir::new()?;
        let [work, bin] = ["work", "bin"].map(|name| dir.path().join(name));
        fs::create_dir(&work)?;
        fs::create_dir(&bin)?;
        for name in ["cargo", "kvs"] {
            fs::write(bin.join(name), CARGO)?;
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755))?;
        }
        let port = free_port();
        let inherited = env::var("PATH").unwrap_or_default();
        let mut bash = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .current_dir(&work)
            .env("PATH", format!("{}:{inherited}", bin.display()))
            .env("HOME", &work)
            .env("LC_ALL", "C")
            .env("ADDR", format!("127.0.0.1:{port}"))
            .env("PROGRAMS", programs.parent().unwrap_or(programs))
            .env("STAGE", programs.file_name().unwrap_or_default())
            .env_remove("BASH_ENV")
            .env_remove("RUST_LOG")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut stdin = bash.stdin.take();
        if let Some(stdin) = &mut stdin {
            stdin.write_all(PRELUDE.as_bytes())?;
        }
        let (say, said) = mpsc::channel();
        let lines = bash.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        thread::spawn(move || {
            for line in lines.into_iter().flatten().map_while(Result::ok) {
                // The mark may follow what a command printed without ending its line.
                let (line, jobs) = line
                    .split_once('\x04')
                    .map_or((&*line, None), |(line, jobs)| (line, Some(jobs)));
                if jobs.is_none() || !line.is_empty() {
                    let _ = say.send(Said::Line(line.to_owned()));
                }
                if let Some(jobs) = jobs {
                    let _ = say.send(Said::Done(!jobs.is_empty()));
                }
            }
        });
        Ok(Shell { bash, stdin, said, port, _dir: dir })
    }

    /// Runs a command, and waits for what is to come of it.
    fn step(&mut self, command: &str, expected: &[&str]) -> Result<(), String> {
        let real = self.port;
        let command = command
            .replace("127.0.0.1:4000", &format!("127.0.0.1:{real}"))
            .replace("127.0.0.1/4000", &format!("127.0.0.1/{real}"));
        // `eval`, so that a quote that is not closed does not swallow what follows.
        let quoted = command.replace('\'', r"'\''");
        let line = format!("eval '{quoted}' </dev/null 2>&1; echo $'\\x04'$(jobs -rp)\n");
        // A shell that has ended shows when nothing comes from it.
        let _ = self.stdin.as_mut().map(|stdin| stdin.write_all(line.as_bytes()));

        let deadline = Instant::now() + TIMEOUT;
        let (mut lines, mut is_done, mut has_jobs) = (Vec::<String>::new(), false, true);
        loop {
            let printed: Vec<&str> = lines.iter().map(String::as_str).collect();
            if is_done && lines_match(expected, &printed) {
                return Ok(());
            }
            let message = || format!("it printed\n{}", lines.join("\n"));
            if is_done && !has_jobs {
                return Err(message());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(Said::Line(line)) => {
                    lines.push(line.replace(&format!("127.0.0.1:{real}"), "127.0.0.1:4000"));
                }
                Ok(Said::Done(jobs)) => (is_done, has_jobs) = (true, jobs),
                Err(mpsc::RecvTimeoutError::Timeout) if is_done => return Err(message()),
                Err(mpsc::RecvTimeoutError::Timeout) => return Err("it doesn't end".to_owned()),
                Err(_) => return Err("the shell has ended".to_owned()),
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // It ends its jobs, and then itself.
        drop(self.stdin.take());
        let _ = self.bash.wait();
    }
}

/// A port that nobody listens on, below those that the system gives to others by itself, so that nobody
/// gets it before the session's server does.
fn free_port() -> u16 {
    let first = 10_000 + (process::id() % 1000) as u16 * 20;
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (first..).find(is_free).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::said;

    /// What is found in a text that is one session without programs.
    fn found(session: &str) -> Vec<String> {
        let nowhere = || Path::new("/nowhere").to_owned();
        let stage = Stage { programs: nowhere(), library: nowhere() };
        let stages = BTreeMap::from([("1".to_owned(), stage)]);
        said(check("t.md", &format!("```console stage=1\n{session}```\n"), &stages))
    }

    #[test]
    fn another_output_than_shown_is_noticed() {
        for (session, words) in [
            ("$ true\n$ echo crab\nlobster\n", "3: echo crab: it printed\ncrab"),
            ("$ true\nlobster\n", "2: true: it printed\n"),
            ("$ echo crab\n", "2: echo crab: it printed\ncrab"),
            ("$ printf '1\\n2\\n'\n2\n1\n", "2: printf"),
            ("$ echo 'crab\n", "2: echo 'crab: it printed\n"),
            ("$ exit\n", "2: exit: the shell has ended"),
            ("$ cargo build\n", "2: cargo build: it printed\nonly 'cargo run' is run here"),
            ("crab\n", "2: the first line is no command"),
        ] {
            let found = found(session);
            let words = format!("t.md:{words}");
            assert!(found.len() == 1 && found[0].starts_with(&words), "{found:?}, not {words}");
        }
    }

    #[test]
    fn a_block_that_is_not_run_may_only_build_and_start() {
        let check = |text: &str| check("t.md", text, &BTreeMap::new());
        assert_eq!(check("```console\n$ cargo run\n$ cd x\n```\n"), []);
        assert_eq!(check("```console\n$ cargo run\nout\n```\n")[0].line, 2);
        assert_eq!(check("```console\n$ ls\n```\n").len(), 1);
        assert_eq!(check("```console stage=9\n$ ls\n```\n").len(), 1);
    }
}
