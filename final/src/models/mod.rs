//! Models: small scenes of two or three threads, played in every order that the threads can come in,
//! and with every value that a weakly ordered load may return.
//!
//! The code is the crate's own, on loom (`--cfg loom`). What loom cannot look into has a stand-in:
//!
//! | stands for | what it is | where |
//! |---|---|---|
//! | `std::sync`, `std::thread`, the clock | loom's types; the clock stands still | `sync.rs` |
//! | papaya's map, `ArcSwap` | a map and an `Arc` behind locks, each operation one step | `map.rs` |
//! | crossbeam's channel | a queue behind a lock | `channel.rs` |
//! | files | the simulated disk | `kv_store/models/` |
//! | the committer, for group commit alone | a log in memory that fails when told | `group_commit.rs` |
//! | sockets and epoll, and what a turn of a connection does | counters behind locks | `server/models/` |
//!
//! `tests/models.rs` is the program. It plays each model, and then each once more for every fault that
//! the model must find (`faults.txt`); the faults are in the code, at [`fault!`](crate::sync::fault).
#![allow(clippy::unwrap_used)] // as in all tests

pub(crate) mod channel;
mod group_commit;
pub(crate) mod map;
pub(crate) mod model;
mod pool;
#[path = "../server/models.rs"]
mod server;
pub(crate) mod sync;

use crate::kv_store::models as store;
use loom::thread::{self, JoinHandle};
use model::{FAULTS, Model};
use rayon::prelude::*;
use std::env;
use std::process::ExitCode;

/// Does something on a thread of its own with what it shares with the others.
pub(crate) fn with<T: Clone + 'static, R: 'static>(
    shared: &T,
    run: impl FnOnce(T) -> R + 'static,
) -> JoinHandle<R> {
    let shared = shared.clone();
    thread::spawn(move || run(shared))
}

fn models() -> impl Iterator<Item = Model> {
    let store = store::models().into_iter().chain(group_commit::models());
    let server = server::note_models::models().into_iter().chain(server::loop_models::models());
    store.chain(pool::models()).chain(server)
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
    let faults = FAULTS.lines().filter(|line| line.contains(" → ")).count();
    println!(
        "{} models, {unbounded} of them without a bound, {executions} executions; {found} of {faults} faults found",
        models.len(),
    );
    let is_good = found == faults && checked.iter().all(|checked| checked.executions > 0);
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
