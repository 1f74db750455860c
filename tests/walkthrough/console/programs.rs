//! The programs that a session calls, all of them this test's own binary.
//!
//! In the directory that is first in a session's `PATH` there are links to it by the names `cargo`
//! and `nc`. As `cargo run` it becomes the program that the command names, of the stage whose code it
//! was linked with: nothing is built. `nc` is there because there are several, and not all know `-N`.

use super::netcat;
use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// In the environment of all that a session runs: its directory.
pub const SESSION: &str = "KVS_WALKTHROUGH_SESSION";
/// The stage that its block names.
pub const STAGE: &str = "KVS_WALKTHROUGH_STAGE";
/// Where a server listens if the command does not say.
pub const ADDR: &str = "KVS_WALKTHROUGH_ADDR";
/// In the environment of a process that is to be a program: which one, of which stage.
const PROGRAM: &str = "KVS_WALKTHROUGH_PROGRAM";

/// The names by which a session finds this binary.
pub const NAMES: [&str; 2] = ["cargo", "nc"];

/// In a process that a session started, is what it was started as.
pub fn run_if_asked() -> Option<ExitCode> {
    env::var_os(SESSION)?;
    if let Ok(program) = env::var(PROGRAM) {
        return Some(program_of_stage(&program));
    }
    let mut args = env::args();
    let name = args.next()?;
    let args: Vec<String> = args.collect();
    match Path::new(&name).file_name()?.to_str()? {
        "cargo" => Some(cargo(&args)),
        "nc" => Some(netcat::run(&args)),
        _ => None,
    }
}

/// What `cargo run` was asked to run.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    /// `1` to `7`, or `final`.
    stage: String,
    /// `kvs-server`, `kvs-client` or `kvs`.
    program: String,
    args: Vec<String>,
}

/// Becomes the program.
fn cargo(args: &[String]) -> ExitCode {
    let stage = env::var(STAGE).unwrap();
    let run = match Run::parse(args).and_then(|run| run.of_stage(&stage)) {
        Ok(run) => run,
        Err(words) => {
            eprintln!("error: {words}");
            return ExitCode::FAILURE;
        }
    };
    let addr = env::var(ADDR).unwrap();
    let error = Command::new(env::current_exe().unwrap())
        .arg0(&run.program)
        .args(run.args_with(&addr))
        .env(PROGRAM, format!("{} {}", run.program, run.stage))
        .exec();
    panic!("cannot become {}: {error}", run.program);
}

impl Run {
    fn parse(args: &[String]) -> Result<Run, String> {
        let mut args = args.iter().map(String::as_str);
        if args.next() != Some("run") {
            return Err("only `cargo run` can be run here".to_owned());
        }
        let (mut stage, mut program) = ("final", "kvs-server");
        let mut rest = Vec::new();
        while let Some(arg) = args.next() {
            let (option, value) = arg.split_once('=').unwrap_or((arg, ""));
            let mut value = || if value.is_empty() { args.next().unwrap_or("") } else { value };
            match option {
                "--release" | "-r" | "-q" | "--quiet" => {}
                "--features" => stage = value().strip_prefix("stage-").unwrap_or("?"),
                "--bin" => program = value(),
                "-p" | "--package" => match value() {
                    "final" => program = "kvs",
                    other => return Err(format!("package `{other}` has no program")),
                },
                "--" => break,
                option if option.starts_with('-') => return Err(format!("`{option}` is unknown")),
                first => {
                    rest.push(first);
                    break;
                }
            }
        }
        rest.extend(args);
        let is_known = ["kvs-server", "kvs-client", "kvs"].contains(&program)
            && ["1", "2", "3", "4", "5", "6", "7", "final"].contains(&stage);
        if !is_known {
            return Err(format!("no `{program}` of stage `{stage}`"));
        }
        let args = rest.into_iter().map(str::to_owned).collect();
        Ok(Run { stage: stage.to_owned(), program: program.to_owned(), args })
    }

    /// The server has to be that of the block's stage; a client may be of `final` too, since any
    /// client talks to any server.
    fn of_stage(self, stage: &str) -> Result<Run, String> {
        let may_be_final = self.program == "kvs-client" && self.stage == "final";
        if self.stage == stage || may_be_final {
            return Ok(self);
        }
        Err(format!("the block says stage {stage}, the command stage {}", self.stage))
    }

    /// The arguments with the address, where there is none.
    fn args_with(&self, addr: &str) -> Vec<String> {
        let mut args = self.args.clone();
        let subcommands: &[&str] = match &*self.program {
            "kvs-server" => &[],
            "kvs-client" => &["get", "set", "rm"],
            _ => &["server", "client", "stats", "bench"],
        };
        let takes_it = subcommands.is_empty()
            || args.first().is_some_and(|first| subcommands.contains(&first.as_str()));
        let has_it = args.iter().any(|arg| arg.split('=').next() == Some("--addr"));
        if takes_it && !has_it {
            let at = usize::from(!subcommands.is_empty());
            args.splice(at..at, ["--addr".to_owned(), addr.to_owned()]);
        }
        args
    }
}

/// `kvs-server 4`.
fn program_of_stage(program: &str) -> ExitCode {
    let (program, stage) = program.split_once(' ').unwrap();
    macro_rules! of {
        ($library:ident) => {
            match program {
                "kvs-server" => $library::cli::server(),
                _ => $library::cli::client(),
            }
        };
    }
    match stage {
        "1" => of!(naive_pool),
        "2" => of!(shared_engine),
        "3" => of!(threaded_server),
        "4" => of!(shared_queue),
        "5" => of!(rayon_pool),
        "6" => of!(rwlock),
        "7" => of!(lock_free),
        _ if program == "kvs" => kvs_final::cli::kvs(),
        _ => of!(kvs_final),
    }
}

pub mod tests {
    use super::*;

    fn run(command: &str) -> Result<Run, String> {
        Run::parse(&command.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[track_caller]
    fn assert_run(command: &str, stage: &str, program: &str, args: &str) {
        let run = run(command).unwrap();
        assert_eq!((&*run.stage, &*run.program), (stage, program));
        assert_eq!(run.args_with("A").join(" "), args);
    }

    pub fn a_cargo_command_names_a_program_its_stage_and_its_arguments() {
        assert_run("run --features stage-4 --bin kvs-server", "4", "kvs-server", "--addr A");
        assert_run("run -q --bin kvs-client get k", "final", "kvs-client", "get --addr A k");
        let set = "run --features=stage-5 --bin kvs-client -- set k --addr B v";
        assert_run(set, "5", "kvs-client", "set k --addr B v");
        let bench = "run --release -p final -- bench --clients 2";
        assert_run(bench, "final", "kvs", "bench --addr A --clients 2");
        assert_run("run -p final check D", "final", "kvs", "check D");
        assert_run("run --bin kvs-client -- -V", "final", "kvs-client", "-V");
    }

    pub fn a_planted_command_that_cargo_would_refuse_is_refused() {
        for command in ["build", "run --bin kvs", "run --sloppy", "run --features stage-9"] {
            let words = run(command).and_then(|run| run.of_stage("4")).unwrap_err();
            assert!(!words.is_empty());
        }
    }

    pub fn a_planted_server_of_another_stage_is_refused() {
        let refused = run("run --bin kvs-server").unwrap().of_stage("4");
        assert_eq!(refused.unwrap_err(), "the block says stage 4, the command stage final");
        assert!(run("run --bin kvs-client get k").unwrap().of_stage("4").is_ok());
        assert!(
            run("run --features stage-5 --bin kvs-client get k").unwrap().of_stage("4").is_err()
        );
    }
}
