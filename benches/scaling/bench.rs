//! Threads that call an engine; or clients and a server, which is a process of its own: it can be ended, and
//! what its threads use can be told from what the clients do.

use crate::workloads::{Beside, By, Work};
use kvs_bench_kit::Outcome;
use kvs_bench_kit::data::{Key, Values, random};
use kvs_bench_kit::load::{Exchange, Load};
use kvs_bench_kit::record::Figures;
use kvs_bench_kit::repeat::{Done, repeat};
use kvs_bench_kit::tables::times_as_long;
use kvs_bench_kit::usage::Usage;
use kvs_bench_stages::process::{Process, SERVE, Task};
use kvs_bench_stages::{Stage, Store};
use rand::RngExt;
use rand::rngs::SmallRng;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// The bytes that are overwritten over and over to make a store compact. Few large values take less
/// time than many small ones do, so that more of the writer's time goes into compaction.
const CHURNED: usize = 1 << 20;

/// What is the same for all cells.
pub(crate) struct Bench {
    pub(crate) keys: u64,
    pub(crate) values: Values,
    pub(crate) churned: String,
    pub(crate) seconds: f64,
}

impl Bench {
    pub(crate) fn new(keys: u64, value_bytes: usize, seconds: f64) -> Bench {
        Bench { keys, values: Values::new(value_bytes), churned: "x".repeat(CHURNED), seconds }
    }

    /// Sets every key.
    pub(crate) fn fill(&self, store: &mut dyn Store) -> Outcome<()> {
        (0..self.keys).try_for_each(|number| {
            store.set(Key::new(number).as_str().to_owned(), self.values.make(number, 0))
        })
    }

    /// Lets so many threads work on a filled store until the time is over.
    pub(crate) fn measure(
        &self,
        work: Work,
        store: &mut dyn Store,
        threads: usize,
    ) -> Outcome<Figures> {
        let all = threads + usize::from(work.beside != Beside::Nobody);
        let shares: Option<Vec<_>> = (1..all).map(|_| store.another()).collect();
        let mut shares = shares.ok_or("this store cannot be shared")?;
        let stores = shares.iter_mut().map(|share| &mut **share).chain([store]);
        let works = stores.enumerate().map(|(number, store)| {
            let mut random = random(number as u64);
            let is_other = number == threads;
            Box::new(move || match work.beside {
                Beside::Writer if is_other => self.set(store, &mut random),
                Beside::Compactor if is_other => self.churn(store),
                _ if random.random_range(0..100) < work.sets => self.set(store, &mut random),
                _ => self.get(store, &mut random),
            }) as _
        });
        let seconds = self.seconds * times_as_long(work.name);
        let mut measured = repeat(seconds, works.collect(), || Usage::of(std::process::id()))?;
        let seconds = measured.seconds;
        let other = Done::sum(measured.done.drain(threads..)).latencies.len() as f64 / seconds;
        let mut done = Done::sum(measured.done);
        let mut figures = done.figures(seconds);
        figures.insert("waits".to_owned(), done.waits as f64 / done.latencies.len() as f64);
        match work.beside {
            Beside::Writer => figures.insert("sets".to_owned(), other),
            Beside::Compactor => figures.insert("compactions".to_owned(), other),
            Beside::Nobody => {
                let cpu = measured.after.cpu - measured.before.cpu;
                figures.insert("cpu".to_owned(), cpu / done.latencies.len() as f64)
            }
        };
        Ok(figures)
    }

    fn get(&self, store: &mut dyn Store, random: &mut SmallRng) -> Outcome<Duration> {
        let number = random.random_range(0..self.keys);
        let key = Key::new(number).as_str().to_owned();
        let start = Instant::now();
        let value = store.get(key)?;
        let time = start.elapsed();
        let value = value.ok_or_else(|| format!("key {number} has no value"))?;
        self.values.check(number, value.as_bytes())?;
        Ok(time)
    }

    fn set(&self, store: &mut dyn Store, random: &mut SmallRng) -> Outcome<Duration> {
        let number = random.random_range(0..self.keys);
        let key = Key::new(number).as_str().to_owned();
        let value = self.values.make(number, random.random());
        let start = Instant::now();
        store.set(key, value)?;
        Ok(start.elapsed())
    }

    /// A compaction, and then a rest that is as long: a stage whose readers wait for it loses half of
    /// its time, however long its compactions are.
    fn churn(&self, store: &mut dyn Store) -> Outcome<Duration> {
        let start = Instant::now();
        store.churn("another key", &self.churned)?;
        let time = start.elapsed();
        thread::sleep(time);
        Ok(time)
    }

    /// Fills a store, starts a server on it, and lets clients ask it until the time is over.
    pub(crate) fn measure_server(
        &self,
        work: Work,
        stage: Stage,
        threads: u32,
        dir: PathBuf,
        exchanges: &[Exchange],
    ) -> Outcome<Figures> {
        self.fill(&mut *stage.open(&dir)?)?;
        let task = serde_json::to_string(&Task { stage, threads, dir })?;
        let process = Process::start(&[], &[SERVE, &task])?;
        let reconnect = work.by == By::Connections;
        let clients = if reconnect { 16 } else { threads as usize };
        let load = Load { addr: process.addr, exchanges, clients, reconnect };
        let seconds = self.seconds * times_as_long(work.name);
        let measured = repeat(seconds, load.clients()?, || Usage::of(process.id()))?;
        let (seconds, before, after) = (measured.seconds, measured.before, measured.after);
        let mut done = Done::sum(measured.done);
        let requests = (done.latencies.len() * work.in_flight()) as f64;
        let mut figures = done.figures(seconds);
        figures.insert("rate".to_owned(), requests / seconds);
        figures.insert("cpu".to_owned(), (after.cpu - before.cpu) / requests);
        // A thread takes its count along when it ends, and there each connection has its own.
        if !(stage == Stage::ThreadedServer && reconnect) {
            let waits = after.waits.saturating_sub(before.waits);
            figures.insert("waits".to_owned(), waits as f64 / requests);
        }
        Ok(figures)
    }

    /// Requests of random keys, and the answers that they must get. What is set is what was there.
    pub(crate) fn exchanges(&self, work: Work) -> Vec<Exchange> {
        let mut random = random(0);
        let mut exchange = |_| {
            let mut exchange = Exchange::default();
            for _ in 0..work.in_flight() {
                let number = random.random_range(0..self.keys);
                let (key, value) = (Key::new(number), self.values.make(number, 0));
                if random.random_range(0..100) < work.sets {
                    exchange.set(key.as_str(), &value);
                } else {
                    exchange.get(key.as_str(), &value);
                }
            }
            exchange
        };
        (0..self.keys / work.in_flight() as u64).map(&mut exchange).collect()
    }
}
