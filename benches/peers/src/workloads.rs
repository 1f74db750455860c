//! What an engine has to do, each workload in a process of its own, so that none finds the memory or the
//! caches of another.

use crate::engines::{self, Engine};
use crate::{Pairs, this_program_as};
use kvs_bench_kit::Outcome;
use kvs_bench_kit::data::{Key, Values, random};
use kvs_bench_kit::record::{Figures, output};
use kvs_bench_kit::repeat::{Work, repeat};
use procfs::process::Process;
use rand::{Rng, RngExt};
use serde_json::json;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Threads that work at the same time, in groups: what the rate of a group is called, how many threads it
/// has, and how many of a hundred operations are sets. The others are gets.
type Threads = &'static [(&'static str, usize, u32)];

const GETS: &[Threads] = &[&[("1-threads", 1, 0)], &[("4-threads", 4, 0)]];
const MIXED: &[Threads] =
    &[&[("5-set-4-threads", 4, 5)], &[("50-set-2-threads", 2, 50)], &[("50-set-4-threads", 4, 50)]];
const SETS: &[Threads] =
    &[&[("1-threads", 1, 100)], &[("8-threads", 8, 100)], &[("64-threads", 64, 100)]];

/// The name, and what is measured in turn on the same store.
pub(crate) const WORKLOADS: [(&str, &[Threads]); 6] = [
    // One thread sets all keys, and is killed: see `reopen` for the rest.
    ("load", &[]),
    ("get16", GETS),
    ("get1k", GETS),
    ("mixed", MIXED),
    ("readers", &[&[("gets", 4, 0), ("sets", 1, 100)]]),
    // Every set waits for the disk, in a store that was empty.
    ("synced", SETS),
];

/// Each workload on each engine.
pub(crate) fn pairs() -> Pairs {
    let engines = ["kvs", "sled", "redb", "fjall", "lmdb"];
    let pairs = WORKLOADS.iter().flat_map(|(work, _)| engines.map(|engine| (*work, engine)));
    (pairs.collect(), json!({}))
}

/// Runs a workload on an engine. The load ends with `kill -9`; then another process opens what is left.
pub(crate) fn run(work: &str, engine: &str, keys: u64, seconds: f64) -> Outcome<Figures> {
    let dir = TempDir::new()?;
    let path = dir.path().to_str().ok_or("the temporary directory's name is no text")?;
    let in_a_process = |work: &str| -> Outcome<Figures> {
        let mut process = this_program_as("engine")?
            .args([work, engine, &keys.to_string(), &seconds.to_string(), path])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        process.kill()?;
        let status = process.wait()?;
        serde_json::from_str(&line).map_err(|_| format!("its process ended with {status}").into())
    };
    let mut figures = in_a_process(work)?;
    if work == "load" {
        // What the file system has given to the files, not their length: they may have holes.
        let disk = output("du", &["-s", "--block-size=1", path])?;
        let disk: f64 = disk.split_whitespace().next().ok_or("du says nothing")?.parse()?;
        figures.insert("disk".to_owned(), disk / keys as f64);
        figures.extend(in_a_process("reopen")?);
    }
    Ok(figures)
}

/// What [`run`] wants of the process that it starts: the figures in one line. Then it waits to be killed,
/// with the store still open.
pub(crate) fn run_here(args: &[String]) -> Outcome<()> {
    let [work, engine, keys, seconds, dir] = args else { return Err("five arguments".into()) };
    let (keys, seconds) = (keys.parse()?, seconds.parse()?);
    let open = || engines::open(engine, work == "synced", Path::new(dir));
    let values = Values::new(if work == "get1k" { 1024 } else { 16 });
    let figures = if work == "reopen" {
        reopen(open, keys)?
    } else {
        // Never dropped: what is killed has its store open.
        let engine = Box::leak(open()?);
        // Few of them, so that most sets that are synced are not a key's first.
        let keys = if work == "synced" { keys / 10 } else { keys };
        Bench { engine, values, keys, seconds }.run(work)?
    };
    println!("{}", serde_json::to_string(&figures)?);
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// An engine, and what is in it.
struct Bench<'a> {
    engine: &'a dyn Engine,
    values: Values,
    keys: u64,
    seconds: f64,
}

impl Bench<'_> {
    fn run(&self, work: &str) -> Outcome<Figures> {
        let mut figures = Figures::new();
        match work {
            "synced" => {}
            "load" => {
                let start = Instant::now();
                (0..self.keys).try_for_each(|number| self.set(number, 0))?;
                let rate = self.keys as f64 / start.elapsed().as_secs_f64();
                figures.insert("load".to_owned(), rate);
            }
            _ => self.fill()?,
        }
        let workload = WORKLOADS.iter().find(|(name, _)| *name == work);
        for groups in workload.ok_or("there is no such workload")?.1 {
            figures.extend(self.rates(groups)?);
        }
        Ok(figures)
    }

    /// Sets all keys, many at once. Measured by nobody.
    fn fill(&self) -> Outcome<()> {
        const BATCH: u64 = 10_000;
        for first in (0..self.keys).step_by(BATCH as usize) {
            let numbers = first..self.keys.min(first + BATCH);
            let records = numbers.map(|number| (Key::new(number), self.values.make(number, 0)));
            self.engine.set(&records.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// The rate of each group of threads, on random keys.
    fn rates(&self, groups: Threads) -> Outcome<Figures> {
        let mut works: Vec<Work<'_>> = Vec::new();
        for &(_, threads, sets) in groups {
            for _ in 0..threads {
                let mut random = random(works.len() as u64);
                works.push(Box::new(move || {
                    let number = random.random_range(0..self.keys);
                    let is_set = random.random_ratio(sets, 100);
                    if is_set {
                        self.set(number, random.next_u64())?
                    } else {
                        self.get(number)?
                    }
                    // Nobody asks how long it took: to look at the clock takes as long as some gets.
                    Ok(Duration::ZERO)
                }));
            }
        }
        let measured = repeat(self.seconds, works, || Ok(()))?;
        let mut done = measured.done.iter().map(|done| done.latencies.len() as f64);
        let rate = |&(name, threads, _): &(&str, usize, u32)| {
            (name.to_owned(), done.by_ref().take(threads).sum::<f64>() / measured.seconds)
        };
        Ok(groups.iter().map(rate).collect())
    }

    fn set(&self, number: u64, version: u64) -> Outcome<()> {
        self.engine.set(&[(Key::new(number), self.values.make(number, version))])
    }

    fn get(&self, number: u64) -> Outcome<()> {
        match self.engine.get(Key::new(number).as_str())? {
            None => Err(format!("key {number} has no value").into()),
            Some(value) => self.values.check(number, &value),
        }
    }
}

/// What a killed process left that had set all keys: how long it takes to open, what is lost, and how
/// many bytes of memory a key it takes.
fn reopen(open: impl FnOnce() -> Outcome<Box<dyn Engine>>, keys: u64) -> Outcome<Figures> {
    let values = Values::new(16);
    // Those that are this process' alone, and those of mapped files, which the system can take back.
    let memory = || -> Outcome<[f64; 2]> {
        let status = Process::myself()?.status()?;
        Ok([status.rssanon, status.rssfile]
            .map(|kib| kib.unwrap_or(0) as f64 * 1024.0 / keys as f64))
    };
    let ([private, mapped], start) = (memory()?, Instant::now());
    let engine = open()?;
    let (seconds, [private_opened, _]) = (start.elapsed().as_secs_f64(), memory()?);
    let mut lost = 0;
    for number in 0..keys {
        match engine.get(Key::new(number).as_str())? {
            None => lost += 1,
            Some(value) => values.check(number, &value)?,
        }
    }
    let [private_read, mapped_read] = memory()?;
    let figures = [
        ("open", seconds),
        ("lost", f64::from(lost)),
        ("private-opened", private_opened - private),
        ("private-read", private_read - private),
        ("mapped-read", mapped_read - mapped),
    ];
    Ok(figures.map(|(name, figure)| (name.to_owned(), figure.max(0.0))).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvs_final::{KvStore, KvsEngine};

    #[test]
    fn a_lost_key_fails_a_get_and_is_counted_after_a_kill() {
        let dir = TempDir::new().unwrap();
        let open = || engines::open("kvs", false, dir.path());
        let gets = |is_new: bool| {
            let (engine, values) = (&*open().unwrap(), Values::new(16));
            let bench = Bench { engine, values, keys: 20, seconds: 0.01 };
            if is_new { bench.run("get16") } else { bench.rates(GETS[0]) }
        };
        gets(true).unwrap();
        assert_eq!(reopen(open, 20).unwrap()["lost"], 0.0);
        KvStore::open(dir.path()).unwrap().remove(Key::new(7).as_str().to_owned()).unwrap();
        assert_eq!(gets(false).unwrap_err().to_string(), "key 7 has no value");
        assert_eq!(reopen(open, 20).unwrap()["lost"], 1.0);
    }
}
