//! Models: small scenes of two or three threads, played in every order that the threads can come in,
//! and with every value that a weakly ordered load may return.
//!
//! The code is the crate's own, on loom (`--cfg loom`). What loom cannot look into has a stand-in:
//!
//! | stands for | what it is | where |
//! |---|---|---|
//! | `std::sync`, `std::thread`, the clock | loom's types; the clock stands still | `sync.rs` |
//! | papaya's map | a map behind a lock, each operation one step | `map.rs` |
//! | crossbeam's channel | a queue behind a lock | `channel.rs` |
//! | files | the simulated disk | `kv_store/models.rs` |
//! | the writer, for group commit alone | a log in memory that fails when told | `group_commit.rs` |
//! | sockets and epoll, and what a turn of a connection does | counters behind locks | `server/` |
//!
//! `tests/models.rs` is the program. It plays each model, and then each once more for every fault that
//! the model must find; the faults are in the code, at [`fault!`](crate::sync::fault).
#![allow(clippy::unwrap_used)] // as in all tests

pub(crate) mod channel;
mod group_commit;
pub(crate) mod map;
mod pool;
mod server;
pub(crate) mod sync;

use crate::kv_store;
use rayon::prelude::*;
use std::cell::Cell;
use std::process::{Command, ExitCode};
use std::sync::OnceLock;
use std::time::Instant;
use std::{env, io, panic};

/// A scene, and how much of it is played.
pub(crate) struct Model {
    name: &'static str,
    /// How often a thread that could go on is held up for another one, at most. Without a bound all
    /// executions are played that differ in what the threads see of each other.
    preemptions: Option<usize>,
    scene: fn(),
    /// The faults that it must find, each with words of the failure by which it is found.
    faults: Vec<(&'static str, &'static str)>,
}

fn models() -> impl Iterator<Item = Model> {
    let store = kv_store::models::models().into_iter().chain(group_commit::models());
    let server = server::note_models::models().into_iter().chain(server::schedule_models::models());
    store.chain(pool::models()).chain(server)
}

/// The message of a panic that a scene wants.
pub(crate) const WANTED: &str = "as this model wants";

/// The fault of this process, if it has one.
static INJECTED: OnceLock<String> = OnceLock::new();

thread_local! {
    /// How many executions were begun. All threads of a model are on one of the system's.
    static EXECUTIONS: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn is_injected(fault: &str) -> bool {
    INJECTED.get().is_some_and(|injected| injected == fault)
}

/// Without arguments plays everything and prints a table; with the name of a model that one alone, and
/// with the name of a fault too, the model with that fault in the code.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some(name) = arguments.first() else {
        return check_all();
    };
    match models().find(|model| model.name == name) {
        Some(model) => model.play(arguments.get(1)),
        None => {
            models().for_each(|model| eprintln!("{}", model.name));
            ExitCode::FAILURE
        }
    }
}

fn check_all() -> ExitCode {
    println!("{:44} {:>10} {:>11} {:>10}", "model", "executions", "preemptions", "time");
    let models: Vec<_> = models().collect();
    let checked: Result<Vec<_>, _> = models.par_iter().map(Model::check).collect();
    let checked = match checked {
        Ok(checked) => checked,
        Err(error) => {
            eprintln!("a model cannot be run: {error}");
            return ExitCode::FAILURE;
        }
    };
    let unbounded = models.iter().filter(|model| model.bound().is_none()).count();
    let executions: u64 = checked.iter().map(|checked| checked.executions).sum();
    let found: usize = checked.iter().map(|checked| checked.found).sum();
    let faults: usize = models.iter().map(|model| model.faults.len()).sum();
    println!(
        "{} models, {unbounded} of them without a bound, {executions} executions; {found} of {faults} faults found",
        models.len(),
    );
    let is_good = found == faults && checked.iter().all(|checked| checked.executions > 0);
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What came of a model.
struct Checked {
    /// 0 if it failed without a fault.
    executions: u64,
    /// How many of its faults it found.
    found: usize,
}

impl Model {
    pub(crate) fn new(name: &'static str, scene: fn()) -> Model {
        Model { name, preemptions: None, scene, faults: Vec::new() }
    }

    pub(crate) fn within(mut self, preemptions: usize) -> Model {
        self.preemptions = Some(preemptions);
        self
    }

    pub(crate) fn finds(mut self, fault: &'static str, shows: &'static str) -> Model {
        self.faults.push((fault, shows));
        self
    }

    fn bound(&self) -> Option<usize> {
        if env::var_os("KVS_DEEP").is_some() { None } else { self.preemptions }
    }

    /// Plays it to its end, which is the end of the process if it finds something.
    fn play(&self, fault: Option<&String>) -> ExitCode {
        fault.map(|fault| INJECTED.get_or_init(|| fault.clone()));
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref() != Some(&WANTED) {
                eprintln!("in execution {}:", EXECUTIONS.get());
                report(info);
            }
        }));
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = self.bound();
        builder.max_branches = 5_000;
        let scene = self.scene;
        let played = panic::catch_unwind(move || {
            builder.check(move || {
                EXECUTIONS.set(EXECUTIONS.get() + 1);
                scene();
            });
        });
        if played.is_err() {
            eprintln!("in execution {}: a panic that nobody caught", EXECUTIONS.get());
            return ExitCode::FAILURE;
        }
        println!("{}", EXECUTIONS.get());
        ExitCode::SUCCESS
    }

    /// Plays it, and once more for each of its faults, each time in a process of its own, which the
    /// fault may take with it.
    fn check(&self) -> io::Result<Checked> {
        let start = Instant::now();
        let (out, errors) = self.run(&[self.name])?;
        let executions = out.trim().parse().unwrap_or_default();
        let bound = self.bound().map_or("all".to_owned(), |bound| format!("<= {bound}"));
        let time = start.elapsed().as_secs_f32();
        let mut report = format!("{:44} {executions:>10} {bound:>11} {time:>8.1} s\n", self.name);
        if executions == 0 {
            report += &format!("FAILED:\n{errors}\n");
        }
        let mut found = 0;
        for (fault, shows) in &self.faults {
            let (_, errors) = self.run(&[self.name, fault])?;
            if errors.contains(*shows) {
                found += 1;
                let first = errors.lines().next().unwrap_or_default().trim_end_matches(':');
                report += &format!("  finds: {fault} ({first}: {shows})\n");
            } else {
                report += &format!("  FAILED to find: {fault}\n{errors}\n");
            }
        }
        print!("{report}");
        Ok(Checked { executions, found })
    }

    fn run(&self, arguments: &[&str]) -> io::Result<(String, String)> {
        let mut command = Command::new(env::current_exe()?);
        let output = command.args(arguments).env("RUST_BACKTRACE", "0").output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((text(&output.stdout), text(&output.stderr)))
    }
}
