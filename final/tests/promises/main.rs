//! What `final` promises, which `promises.md` says, put to the test: see [`table`].
//!
//! ```console
//! $ cargo test --release -p final --test promises
//! ```
//!
//! tries each promise. After it has been kept, each of its faults is injected, which must
//! be noticed. Some minutes on two cores. A debug build tries in small those of [`table::IN_SMALL`].
//!
//! | in the environment | |
//! |---|---|
//! | `KVS_SEED=7` | other random choices than those of seed 0; a failure names its seed |
//! | `KVS_DEEP=1` | the long version: hours |
//! | `KVS_RECORD=1` | writes `benches/results/promises.json`, if every promise was kept |
//!
//! What needs root, loop devices or a program that is not there is skipped, with the reason. With
//! `-- --include-ignored` that is a failure.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod backup;
mod bound;
mod buggy_engine;
mod checks;
mod crowd;
mod directories;
mod failing_disk;
mod history;
mod kills;
mod linearizable;
mod load;
mod mapped;
mod panics;
mod power_loss;
mod promise;
mod record;
mod server;
mod simulated;
mod soak;
mod suites;
mod table;
mod two_power_losses;
mod vanished;
mod volume;

use history::{Checker, Event, Op, UNHEARD};
use kvs_final::thread_pool::{NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool};
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsClient, KvsEngine, KvsError, Limits};
use kvs_test_kit::expected::Expected;
use kvs_test_kit::files::copy_dir;
use kvs_test_kit::local::{Local, stat};
use kvs_test_kit::raw::{FOUND, GET, GET_LARGE, NOTHING, SET, set};
use kvs_test_kit::{Raw, Server, until};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use load::{Direct, Numbers};
use promise::{Count, Need, Outcome, Promise, Run, count, for_each, sums};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use record::Line;
use server::{KILL, KVS, kvs_server, kvs_server_at, needs_strace, run, under_strace};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, result, thread};
use table::{IN_SMALL, PROMISES};
use tempfile::TempDir;
use volume::{Switch, Volume};

fn main() -> ExitCode {
    // One at a time: some of them measure.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let seed = env::var("KVS_SEED").map_or(0, |seed| seed.parse().unwrap());
    let run = Run { seed, deep: env::var_os("KVS_DEEP").is_some(), fault: "" };
    let may_skip = !arguments.include_ignored;
    promise::install_panic_hook();
    // Much of it waits for the disk: more at a time than there are cores.
    rayon::ThreadPoolBuilder::new().num_threads(4 * num_cpus::get()).build_global().unwrap();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let of_promise = |promise: &'static Promise| {
        let kept = Arc::clone(&kept);
        Trial::ignorable_test(promise.name, move || match is_possible(promise) {
            Ok(()) => {
                kept.lock().unwrap().push(is_kept(promise, run)?);
                Ok(Completion::Completed)
            }
            Err(reason) if may_skip => Ok(Completion::ignored_with(reason)),
            Err(reason) => Err(reason.into()),
        })
    };
    let of_check = |(name, check): (_, fn())| {
        Trial::test(name, move || {
            check();
            Ok(())
        })
    };
    // What looks at the promises is looked at first.
    let checks = checks::CHECKS.into_iter().map(of_check);
    let trials = checks.chain(PROMISES.iter().map(of_promise)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    let kept = kept.lock().unwrap();
    kept.iter().for_each(Line::print);
    if env::var_os("KVS_RECORD").is_some() {
        if kept.len() < PROMISES.len() {
            eprintln!("nothing is recorded: a record is of all promises, kept");
            return ExitCode::FAILURE;
        }
        record::write(&kept, run.deep);
    }
    conclusion.exit_code()
}

/// Tries a promise, and injects its faults. If that fails, says how to repeat it.
fn is_kept(promise: &'static Promise, run: Run) -> Result<Line, Failed> {
    let since = Instant::now();
    let is_kept = || {
        let counts = promise.run(run)?;
        promise.notices_its_faults(run)?;
        Ok(counts)
    };
    // Many fail by a panic, whose message the hook has printed.
    let counts = catch_unwind(is_kept).unwrap_or_else(|_| Err("it panicked".to_owned()));
    let counts = counts.map_err(|error| {
        let (seed, name) = (run.seed, promise.name);
        format!(
            "{error}\nagain: KVS_SEED={seed} cargo test --release -p final --test promises {name}"
        )
    })?;
    Ok(Line::of(promise, counts, since.elapsed()))
}

/// Why a promise cannot be tried here, if so.
fn is_possible(promise: &Promise) -> Result<(), String> {
    if cfg!(debug_assertions) && !IN_SMALL.contains(&promise.name) {
        return Err("only a release build tries it".to_owned());
    }
    promise.needs.iter().try_for_each(|need| need())
}
