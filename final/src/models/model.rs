use std::cell::Cell;
use std::process::{Command, ExitCode};
use std::sync::OnceLock;
use std::time::Instant;
use std::{env, io, panic};

/// The message of a panic that a scene wants.
pub(crate) const WANTED: &str = "as this model wants";

thread_local! {
    /// How many executions were begun. All threads of a model are on one of the system's.
    static EXECUTIONS: Cell<u64> = const { Cell::new(0) };
}

/// What each model must find, as it says at its beginning.
pub(super) const FAULTS: &str = include_str!("faults.txt");

/// A scene, and how much of it is played.
pub(crate) struct Model {
    pub(super) name: &'static str,
    /// How often a thread that could go on is held up for another one, at most. Without a bound all
    /// executions are played that differ in what the threads see of each other.
    preemptions: Option<usize>,
    scene: fn(),
    /// The faults that it must find, each with words of the failure by which it is found.
    pub(super) faults: Vec<(&'static str, &'static str)>,
}

/// What came of a model.
pub(super) struct Checked {
    /// 0 if it failed without a fault.
    pub(super) executions: u64,
    /// How many of its faults it found.
    pub(super) found: usize,
}

impl Model {
    pub(crate) fn new(name: &'static str, scene: fn()) -> Model {
        let own =
            FAULTS.lines().skip_while(|line| *line != name).take_while(|line| !line.is_empty());
        let faults = own.filter_map(|line| line.trim_start().split_once(" → ")).collect();
        Model { name, preemptions: None, scene, faults }
    }

    pub(crate) fn max_preemptions(mut self, preemptions: usize) -> Model {
        self.preemptions = Some(preemptions);
        self
    }

    pub(super) fn bound(&self) -> Option<usize> {
        if env::var_os("KVS_DEEP").is_some() { None } else { self.preemptions }
    }

    /// Plays it to its end, which is the end of the process if it finds something.
    pub(super) fn play(&self, fault: Option<&String>) -> ExitCode {
        if let Some(fault) = fault {
            inject(fault);
        }
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
            eprintln!("in execution {}: a panic that no thread caught", EXECUTIONS.get());
            return ExitCode::FAILURE;
        }
        println!("{}", EXECUTIONS.get());
        ExitCode::SUCCESS
    }

    /// Plays it, and once more for each of its faults, each time in a process of its own, which the
    /// fault may take with it.
    pub(super) fn check(&self) -> io::Result<Checked> {
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

/// The fault that a model is to find: one a process, or none.
static INJECTED: OnceLock<String> = OnceLock::new();

/// Puts a fault into the code, for as long as the process lives.
fn inject(fault: &str) {
    INJECTED.get_or_init(|| fault.to_owned());
}

pub(crate) fn is_injected(fault: &str) -> bool {
    INJECTED.get().is_some_and(|injected| injected == fault)
}
