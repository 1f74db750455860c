//! Clients that ask the engine while something happens to the cluster, and what they saw.

use crate::history::{Checker, Event, Op};
use crate::{get, set};
use kvs_final::{KvsEngine, KvsError, RedisClusterEngine};
use kvs_test_kit::until;
use rand::RngExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::thread;

/// Clients that read, write and remove a few keys, and set keys of their own, until they are stopped.
#[derive(Default)]
pub(crate) struct Load {
    name: String,
    pub(crate) is_over: AtomicBool,
    answered: AtomicU32,
    /// `AcqRel`, so that a client's operation stays between its two moments.
    moments: AtomicU32,
    values: AtomicU32,
    /// For the checker, who writes is another client after each write that wasn't answered.
    clients: AtomicU8,
}

/// What they saw.
#[derive(Default)]
pub(crate) struct Seen {
    events: Vec<Event>,
    /// Keys that were set once, and the set acknowledged; each has itself for a value.
    pub(crate) acknowledged: Vec<String>,
    /// Messages of errors.
    pub(crate) errors: Vec<String>,
}

impl Load {
    /// Has eight clients ask the engine while `fault` runs.
    pub(crate) fn run(
        name: String,
        engine: &RedisClusterEngine,
        fault: impl FnOnce(&Load),
    ) -> Seen {
        let load = Load { name, ..Load::default() };
        thread::scope(|scope| {
            let clients = [(); 8].map(|()| scope.spawn(|| load.client(engine)));
            let fault = catch_unwind(AssertUnwindSafe(|| fault(&load)));
            load.is_over.store(true, Ordering::Relaxed);
            fault.unwrap_or_else(|panic| resume_unwind(panic));
            let mut all = Seen::default();
            for seen in clients.map(|client| client.join().unwrap()) {
                all.events.extend(seen.events);
                all.acknowledged.extend(seen.acknowledged);
                all.errors.extend(seen.errors);
            }
            all
        })
    }

    pub(crate) fn wait_for_answers(&self, more: u32) {
        let until_now = self.answered.load(Ordering::Relaxed);
        until("the clients get answers", || {
            self.answered.load(Ordering::Relaxed) >= until_now + more
        });
    }

    fn moment(&self) -> u32 {
        self.moments.fetch_add(1, Ordering::AcqRel)
    }

    fn client(&self, engine: &RedisClusterEngine) -> Seen {
        let (mut seen, mut random) = (Seen::default(), rand::rng());
        let [reader, mut writer] = [(); 2].map(|()| self.clients.fetch_add(1, Ordering::Relaxed));
        while !self.is_over.load(Ordering::Relaxed) {
            let number = random.random_range(0..16);
            let key = format!("{}-{number}", self.name);
            let value = 1 + self.values.fetch_add(1, Ordering::Relaxed);
            let kind = random.random_range(0..10);
            let call = self.moment();
            let (op, result) = match kind {
                // The checker knows 64 clients; who was the last of them doesn't write these keys any more.
                4..7 if writer >= 64 => continue,
                0..4 => match get(engine, &key) {
                    // What is no number was written by none of us.
                    Ok(found) => {
                        (Op::Found(found.map_or(0, |found| found.parse().unwrap())), Ok(()))
                    }
                    Err(error) => {
                        seen.errors.push(error.to_string());
                        continue;
                    }
                },
                4 => match engine.remove(key) {
                    Ok(()) => (Op::Removed, Ok(())),
                    Err(KvsError::KeyNotFound) => (Op::Found(0), Ok(())),
                    Err(error) => (Op::MaybeRemoved, Err(error)),
                },
                5..7 => (Op::Set(value), set(engine, &key, &value.to_string())),
                _ => {
                    let own = format!("{}-own-{value}", self.name);
                    match set(engine, &own, &own) {
                        Ok(()) => seen.acknowledged.push(own),
                        Err(error) => seen.errors.push(error.to_string()),
                    }
                    continue;
                }
            };
            let end = result.is_ok().then(|| self.moment());
            let client = if kind < 4 { reader } else { writer };
            seen.events.push(Event { key: number, client, op, call, end });
            self.answered.fetch_add(result.is_ok().into(), Ordering::Relaxed);
            if let Err(error) = result {
                seen.errors.push(error.to_string());
                let used = self.clients.load(Ordering::Relaxed);
                writer =
                    if used < 64 { self.clients.fetch_add(1, Ordering::Relaxed) } else { used };
            }
        }
        seen
    }
}

impl Seen {
    /// How many acknowledged writes are gone. It counts each of them once.
    pub(crate) fn lost(&mut self, engine: &RedisClusterEngine) -> usize {
        let all = self.acknowledged.len();
        self.acknowledged.retain(|key| get(engine, key).unwrap().as_ref() == Some(key));
        all - self.acknowledged.len()
    }

    /// What the checker says of each key whose history isn't linearizable.
    pub(crate) fn violations(&self) -> Vec<String> {
        let check = |key| {
            let events = self.events.iter().filter(|event| event.key == key).copied().collect();
            Checker::default().check(events, true).err()
        };
        (0..16).filter_map(check).collect()
    }
}
