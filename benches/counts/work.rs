//! The process that is counted: threads that get and set, and nothing else.

use kvs_bench_kit::Outcome;
use kvs_bench_kit::data::{Key, Values, random};
use kvs_bench_stages::{Stage, Store};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

pub(crate) const VALUE_BYTES: usize = 1024;

/// What the process is told.
#[derive(Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) stage: Stage,
    /// How many of 100 operations are sets.
    pub(crate) sets: u64,
    pub(crate) threads: u64,
    pub(crate) keys: u64,
    /// Of all threads.
    pub(crate) operations: u64,
    pub(crate) dir: PathBuf,
}

pub(crate) fn run(task: &str) -> Outcome<()> {
    let task: Task = serde_json::from_str(task)?;
    let values = Values::new(VALUE_BYTES);
    let mut store = task.stage.open(&task.dir)?;
    for number in 0..task.keys {
        store.set(Key::new(number).as_str().to_owned(), values.make(number, 0))?;
    }
    let others: Option<Vec<_>> = (1..task.threads).map(|_| store.another()).collect();
    let mut stores = others.ok_or("this store cannot be shared")?;
    stores.push(store);
    let start = Barrier::new(stores.len());
    thread::scope(|scope| {
        let (task, values, start) = (&task, &values, &start);
        let operate = |(thread, mut store): (u64, Box<dyn Store>)| {
            scope.spawn(move || {
                start.wait();
                operations(task, values, thread, &mut *store)
            })
        };
        let running: Vec<_> = (0..).zip(stores).map(operate).collect();
        running.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })
}

/// One thread's share.
fn operations(task: &Task, values: &Values, thread: u64, store: &mut dyn Store) -> Outcome<()> {
    let mut random = random(thread);
    for operation in 0..task.operations / task.threads {
        let number = random.random_range(0..task.keys);
        let key = Key::new(number).as_str().to_owned();
        if random.random_range(0..100) < task.sets {
            store.set(key, values.make(number, operation))?;
        } else {
            let value = store.get(key)?.ok_or_else(|| format!("key {number} has no value"))?;
            values.check(number, value.as_bytes())?;
        }
    }
    Ok(())
}
