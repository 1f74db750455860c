//! The workloads. Each runs on one engine in a process of its own and prints its figures.

use crate::data::{Key, Random, Values};
use crate::engines::{Engine, Level, Store};
use crate::rates::rates;
use crate::{Outcome, latency, reopen};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

/// What a workload found: rates in thousands a second, times and sizes as the name says.
pub(crate) type Figures = BTreeMap<String, f64>;

/// What is measured together, on the same store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    Load,
    Get16,
    Get1k,
    Mixed,
    Readers,
    Synced,
    Latency,
}

impl Work {
    /// All, in the order of the tables.
    pub(crate) const ALL: [Work; 7] = [
        Work::Load,
        Work::Get16,
        Work::Get1k,
        Work::Mixed,
        Work::Readers,
        Work::Synced,
        Work::Latency,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Work::Load => "load",
            Work::Get16 => "get16",
            Work::Get1k => "get1k",
            Work::Mixed => "mixed",
            Work::Readers => "readers",
            Work::Synced => "synced",
            Work::Latency => "latency",
        }
    }

    pub(crate) fn level(self) -> Level {
        if self == Work::Synced { Level::Synced } else { Level::Unsynced }
    }

    /// Whether it is measured on that engine. Not where another setting of the same engine does the
    /// very same.
    pub(crate) fn runs_on(self, engine: Engine) -> bool {
        let reads = matches!(self, Work::Get16 | Work::Get1k);
        match engine {
            Engine::Kvs => true,
            Engine::KvsMap => reads,
            Engine::SledFlush | Engine::RedbNosync if reads => false,
            _ if self == Work::Latency => false,
            _ => engine.promise(self.level()).is_some(),
        }
    }
}

/// What a process is to do.
#[derive(Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) work: Work,
    pub(crate) engine: Engine,
    /// The second half of `load`: open what the first half left when it was killed.
    pub(crate) reopen: bool,
    pub(crate) keys: u64,
    pub(crate) seconds: f64,
    pub(crate) dir: PathBuf,
}

/// Does what the task says, and prints the figures in one line. Does not end by itself after a load.
pub(crate) fn run(task: &str) -> Outcome<()> {
    let task: Task = serde_json::from_str(task)?;
    let figures = match task.work {
        Work::Latency => latency::latency(task.keys, task.seconds, &task.dir)?,
        _ if task.reopen => reopen::reopen(task.engine, task.keys, &task.dir)?,
        work => {
            let values = Values::new(if work == Work::Get1k { 1024 } else { 16 });
            let store = task.engine.open(work.level(), &task.dir)?;
            let Task { keys, seconds, .. } = task;
            let figures = Bench { store: &*store, values, keys, seconds }.figures(work)?;
            if work == Work::Load {
                print(&figures)?;
                // The store stays open until the process is killed.
                io::stdin().read_line(&mut String::new())?;
                return Ok(());
            }
            figures
        }
    };
    print(&figures)
}

fn print(figures: &Figures) -> Outcome<()> {
    println!("{}", serde_json::to_string(figures)?);
    Ok(())
}

/// A store, and what is in it.
struct Bench<'a> {
    store: &'a dyn Store,
    values: Values,
    keys: u64,
    seconds: f64,
}

impl Bench<'_> {
    fn figures(&self, work: Work) -> Outcome<Figures> {
        match work {
            Work::Load => self.load(),
            Work::Get16 | Work::Get1k => self.gets(),
            Work::Mixed => self.mixed(),
            Work::Readers => self.readers(),
            Work::Synced => self.synced(),
            Work::Latency => Err("latency is measured on a store of its own".into()),
        }
    }

    /// One thread sets all keys, once. An engine that would take ages is measured on the first of
    /// them, when its store is still small.
    fn load(&self) -> Outcome<Figures> {
        let start = Instant::now();
        let mut set = 0;
        while set < self.keys && start.elapsed().as_secs_f64() < 10.0 * self.seconds {
            self.set(set, 0)?;
            set += 1;
        }
        let rate = set as f64 / start.elapsed().as_secs_f64() / 1000.0;
        self.fill(set)?;
        Ok([("load".to_owned(), rate)].into())
    }

    /// Gets of keys that are there.
    fn gets(&self) -> Outcome<Figures> {
        self.fill(0)?;
        let mut figures = Figures::new();
        for threads in [1, 4] {
            let work = |_, random: &mut Random| self.get(random.below(self.keys));
            figures.insert(format!("{threads} threads"), self.rate(threads, work)?);
        }
        Ok(figures)
    }

    /// Every thread gets and sets.
    fn mixed(&self) -> Outcome<Figures> {
        self.fill(0)?;
        let mut figures = Figures::new();
        for (sets, threads) in [(5, 4), (50, 2), (50, 4)] {
            let work = |_, random: &mut Random| {
                let number = random.below(self.keys);
                if random.below(100) < sets {
                    self.set(number, random.next())
                } else {
                    self.get(number)
                }
            };
            figures.insert(format!("{sets} % set, {threads} threads"), self.rate(threads, work)?);
        }
        Ok(figures)
    }

    /// Four threads get, one sets as fast as it can.
    fn readers(&self) -> Outcome<Figures> {
        self.fill(0)?;
        let rates = self.rates(5, |thread, random| {
            let number = random.below(self.keys);
            if thread == 0 { self.set(number, random.next()) } else { self.get(number) }
        })?;
        let reads = rates[1..].iter().sum();
        Ok([("gets".to_owned(), reads), ("sets".to_owned(), rates[0])].into())
    }

    /// Sets of a tenth of the keys, in a store that was empty.
    fn synced(&self) -> Outcome<Figures> {
        let mut figures = Figures::new();
        for threads in [1, 8, 64] {
            let work = |_, random: &mut Random| {
                let number = random.below(self.keys / 10);
                self.set(number, random.next())
            };
            figures.insert(format!("{threads} threads"), self.rate(threads, work)?);
        }
        Ok(figures)
    }

    /// Sets the keys from this number on.
    fn fill(&self, first: u64) -> Outcome<()> {
        let record = |number| (Key::new(number), self.values.make(number, 0));
        self.store.fill(&mut (first..self.keys).map(record))
    }

    fn set(&self, number: u64, version: u64) -> Outcome<()> {
        self.store.set(Key::new(number).as_str(), &self.values.make(number, version))
    }

    fn get(&self, number: u64) -> Outcome<()> {
        match self.store.get(Key::new(number).as_str())? {
            None => Err(format!("key {number} has no value").into()),
            Some(value) => self.values.check(number, &value),
        }
    }

    fn rate(
        &self,
        threads: u64,
        work: impl Fn(u64, &mut Random) -> Outcome<()> + Sync,
    ) -> Outcome<f64> {
        Ok(self.rates(threads, work)?.iter().sum())
    }

    /// The rate of each thread, after a warming-up.
    fn rates(
        &self,
        threads: u64,
        work: impl Fn(u64, &mut Random) -> Outcome<()> + Sync,
    ) -> Outcome<Vec<f64>> {
        rates(threads, self.seconds / 4.0, 1, &work)?;
        // Other numbers, so that what was cached just now is no help.
        rates(threads, self.seconds, 2, &work)
    }
}
