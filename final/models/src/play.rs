//! Plays models and counts their executions.

use crate::faults::{self, FAULTS, Fault};
use std::cell::Cell;
use std::panic;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Instant;

/// A scene, and how much of it is played.
pub(crate) struct Model {
    pub(crate) name: &'static str,
    /// How often a thread that could go on is held up for another one, at most. Without a bound all
    /// executions are played that differ in what the threads see of each other.
    pub(crate) preemptions: Option<usize>,
    pub(crate) scene: fn(),
}

/// The words of a panic that a scene wants.
pub(crate) const WANTED: &str = "as this model wants";

thread_local! {
    /// How many executions were begun. All threads of a model are on one of the system's.
    static EXECUTIONS: Cell<u64> = const { Cell::new(0) };
}

impl Model {
    /// Plays it to its end, which is the end of the process if it finds something.
    pub(crate) fn play(&self) -> ExitCode {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref() != Some(&WANTED) {
                eprintln!("in execution {}:", EXECUTIONS.get());
                report(info);
            }
        }));
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = self.preemptions;
        builder.max_branches = 5_000;
        let scene = self.scene;
        let check = panic::catch_unwind(move || {
            builder.check(move || {
                EXECUTIONS.set(EXECUTIONS.get() + 1);
                scene();
            });
        });
        if check.is_err() {
            eprintln!("in execution {}: a panic that nobody caught", EXECUTIONS.get());
            return ExitCode::FAILURE;
        }
        println!("{}", EXECUTIONS.get());
        ExitCode::SUCCESS
    }

    pub(crate) fn play_with(&self, fault: &str) -> ExitCode {
        faults::plant(fault);
        self.play()
    }
}

/// What is to be shown: that a model finds nothing, or that it finds a fault.
struct Task {
    model: &'static Model,
    fault: Option<&'static Fault>,
}

/// What came of it, in words, and whether that is as it shall be.
struct Outcome {
    words: String,
    executions: u64,
    is_good: bool,
}

impl Task {
    /// In a process of its own, which the fault may take with it.
    fn run(&self) -> Outcome {
        let start = Instant::now();
        let Ok(program) = std::env::current_exe() else {
            return Outcome::bad("cannot find this program".to_owned());
        };
        let mut command = Command::new(program);
        command.arg(self.model.name).args(self.fault.map(|fault| fault.name));
        let output = match command.env("RUST_BACKTRACE", "0").output() {
            Ok(output) => output,
            Err(error) => return Outcome::bad(error.to_string()),
        };
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        match (self.fault, output.status.success()) {
            (None, true) => {
                let executions = out.trim().parse().unwrap_or_default();
                let bound = match self.model.preemptions {
                    None => "all".to_owned(),
                    Some(bound) => format!("<= {bound}"),
                };
                let (name, time) = (self.model.name, start.elapsed().as_secs_f32());
                let words = format!("{name:44} {executions:>9} {bound:>11} {time:>8.1} s");
                Outcome { words, executions, is_good: executions > 0 }
            }
            (None, false) => Outcome::bad(format!("{} FAILED\n{err}", self.model.name)),
            (Some(fault), _) => match fault.shows.iter().find(|words| err.contains(**words)) {
                Some(shown) => {
                    let place = err.lines().next().unwrap_or_default().trim_end_matches(':');
                    let words = format!("  finds: {} ({place}: {shown})", fault.name);
                    Outcome { words, executions: 0, is_good: true }
                }
                None => Outcome::bad(format!("  FAILED to find: {}\n{err}", fault.name)),
            },
        }
    }
}

impl Outcome {
    fn bad(words: String) -> Outcome {
        Outcome { words, executions: 0, is_good: false }
    }
}

/// Plays everything, on all cores, and prints a table.
pub(crate) fn all(models: impl Iterator<Item = &'static Model>) -> ExitCode {
    let mut tasks = Vec::new();
    for model in models {
        tasks.push(Task { model, fault: None });
        let faults = FAULTS.iter().filter(|fault| fault.models.contains(&model.name));
        tasks.extend(faults.map(|fault| Task { model, fault: Some(fault) }));
    }
    let played = |name| tasks.iter().any(|task| task.model.name == name);
    assert!(FAULTS.iter().flat_map(|fault| fault.models).all(|name| played(*name)));
    println!("{:44} {:>9} {:>11} {:>10}", "model", "executions", "preemptions", "time");
    let next = AtomicUsize::new(0);
    let outcomes: Vec<_> = tasks.iter().map(|_| OnceLock::new()).collect();
    let printed = Mutex::new(0);
    let work = || {
        while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed))
            && let Some((task, place)) = tasks.get(number).zip(outcomes.get(number))
        {
            place.get_or_init(|| task.run());
            // In the order of the tasks, as far as all before are done.
            let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(outcome) = outcomes.get(*printed).and_then(OnceLock::get) {
                println!("{}", outcome.words);
                *printed += 1;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(work);
        }
    });
    let outcomes: Vec<_> = outcomes.iter().filter_map(OnceLock::get).collect();
    let (models, faults): (Vec<_>, Vec<_>) =
        tasks.iter().zip(&outcomes).partition(|(task, _)| task.fault.is_none());
    let unbounded = models.iter().filter(|(task, _)| task.model.preemptions.is_none()).count();
    println!(
        "{} models, {unbounded} of them without a bound, {} executions; {} of {} faults found",
        models.len(),
        models.iter().map(|(_, outcome)| outcome.executions).sum::<u64>(),
        faults.iter().filter(|(_, outcome)| outcome.is_good).count(),
        faults.len(),
    );
    let is_good = outcomes.len() == tasks.len() && outcomes.iter().all(|outcome| outcome.is_good);
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
