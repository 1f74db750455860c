//! What an engine has to do, each workload in a process of its own, so that none finds the memory or the
//! caches of another.

use crate::engines::{self, Engine};
use crate::{Pairs, evict};
use kvs_bench_kit::Outcome;
use kvs_bench_kit::data::{Key, Values, random};
use kvs_bench_kit::record::{Figures, output};
use kvs_bench_kit::repeat::{Work, repeat};
use kvs_bench_kit::usage::this_program_as;
use procfs::process::Process;
use rand::{Rng, RngExt};
use serde_json::json;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Threads that work at the same time, in groups: what the rate of a group is called, how many threads it
/// has, and how many of a hundred operations are sets. The others are gets.
type Threads = &'static [(&'static str, usize, u32)];

const GETS: &[Threads] = &[&[("1-threads", 1, 0)], &[("4-threads", 4, 0)]];
const GETS_AND_MIXED: &[Threads] = &[GETS[0], GETS[1], &[("50-set-4-threads", 4, 50)]];
const MIXED: &[Threads] =
    &[&[("5-set-4-threads", 4, 5)], &[("50-set-2-threads", 2, 50)], &[("50-set-4-threads", 4, 50)]];
const SETS: &[Threads] =
    &[&[("1-threads", 1, 100)], &[("8-threads", 8, 100)], &[("64-threads", 64, 100)]];

/// What one process does with a store, before it is killed.
pub(crate) enum Step {
    /// It sets all keys, so many at once.
    Load(u64),
    /// It opens the store, and looks for all keys.
    Reopen,
    /// It sets all keys, and then measures these groups in turn.
    Filled(&'static [Threads]),
    /// It measures these groups in turn, on what the steps before it left.
    AsItIs(&'static [Threads]),
    /// The same, without a file in memory before it, and with half as much memory as there is data.
    Cold(&'static [Threads]),
}
use Step::{AsItIs, Cold, Filled, Load, Reopen};

/// The name, the length of the values, and the steps.
pub(crate) const WORKLOADS: [(&str, usize, &[Step]); 8] = [
    ("load", 16, &[Load(1), Reopen]),
    ("load100", 16, &[Load(100)]),
    ("get16", 16, &[Filled(GETS)]),
    ("get1k", 1024, &[Filled(GETS_AND_MIXED)]),
    ("mixed", 16, &[Filled(MIXED)]),
    ("readers", 16, &[Filled(&[&[("gets", 4, 0), ("sets", 1, 100)]])]),
    // Every set waits for the disk, in a store that was empty.
    ("synced", 16, &[AsItIs(SETS)]),
    ("cold1k", 1024, &[Load(1000), Reopen, Cold(GETS)]),
];

/// Each workload on each engine that has a part in it.
pub(crate) fn pairs() -> Pairs {
    let has_cgroup = Cgroup::new(1 << 30).inspect_err(|e| eprintln!("cold1k is left out: {e}"));
    let engines = ["kvs", "sled", "redb", "fjall", "lmdb", "raw"];
    let pairs = WORKLOADS.iter().flat_map(|(work, ..)| engines.map(|engine| (*work, engine)));
    let has_part = |(work, engine): &(&str, &str)| match *work {
        "cold1k" => has_cgroup.is_ok() && ["kvs", "lmdb"].contains(engine),
        work => work == "synced" || *engine != "raw",
    };
    (pairs.filter(has_part).collect(), json!({}))
}

fn steps(work: &str) -> Outcome<(usize, &'static [Step])> {
    let workload = WORKLOADS.iter().find(|(name, ..)| *name == work);
    workload.map(|&(_, len, steps)| (len, steps)).ok_or("there is no such workload".into())
}

/// Runs a workload on an engine. Each step's process ends with `kill -9`.
pub(crate) fn run(work: &str, engine: &str, keys: u64, seconds: f64) -> Outcome<Figures> {
    let dir = TempDir::new()?;
    let path = dir.path().to_str().ok_or("the temporary directory's name is no text")?;
    let (value_bytes, steps) = steps(work)?;
    let mut figures = Figures::new();
    for (number, step) in steps.iter().enumerate() {
        let mut command = this_program_as("engine")?;
        command.args([work, &number.to_string(), engine, &keys.to_string(), &seconds.to_string()]);
        let mut process = command.arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let _cgroup = if let Cold(_) = step {
            evict(dir.path())?;
            // Less than the second is too little for a process.
            let cgroup = Cgroup::new((keys * (16 + value_bytes as u64) / 2).max(64 << 20))?;
            cgroup.add(process.id())?;
            Some(cgroup)
        } else {
            None
        };
        // It waits for that.
        process.stdin.as_mut().ok_or("no input")?.write_all(b"\n")?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        process.kill()?;
        let status = process.wait()?;
        let found = serde_json::from_str::<Figures>(&line);
        figures.extend(found.map_err(|_| format!("its process ended with {status}"))?);
        if let Load(_) = step {
            // What the file system has given to the files, not their length: they may have holes.
            let disk = output("du", &["-s", "--block-size=1", path])?;
            let disk: f64 = disk.split_whitespace().next().ok_or("du says nothing")?.parse()?;
            figures.insert("disk".to_owned(), disk / keys as f64);
        }
    }
    Ok(figures)
}

/// What [`run`] wants of the process that it starts: the figures in one line. Then it waits to be killed,
/// with the store still open.
pub(crate) fn run_here(args: &[String]) -> Outcome<()> {
    let [work, step, engine, keys, seconds, dir] = args else { return Err("six arguments".into()) };
    let (keys, seconds): (u64, _) = (keys.parse()?, seconds.parse()?);
    io::stdin().read_line(&mut String::new())?;
    let (value_bytes, steps) = steps(work)?;
    let values = Values::new(value_bytes);
    let open = || engines::open(engine, work == "synced", Path::new(dir));
    let figures = if let Reopen = steps[step.parse::<usize>()?] {
        reopen(open, &values, keys)?
    } else {
        // Never dropped: what is killed has its store open.
        let engine = Box::leak(open()?);
        // Few of them, so that most sets that are synced are not a key's first.
        let keys = if work == "synced" { keys / 10 } else { keys };
        Bench { engine, values, keys, seconds }.run(&steps[step.parse::<usize>()?])?
    };
    println!("{}", serde_json::to_string(&figures)?);
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// A cgroup, of version 1 or 2, whose processes have so much memory together, and files in memory are
/// counted. It goes with this value, when they have ended.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(bytes: u64) -> Outcome<Cgroup> {
        let v1 = Path::new("/sys/fs/cgroup/memory");
        let (root, limit) = match v1.is_dir() {
            true => (v1, "memory.limit_in_bytes"),
            false => (Path::new("/sys/fs/cgroup"), "memory.max"),
        };
        let cgroup = Cgroup(root.join(format!("kvs-peers-{}", std::process::id())));
        fs::create_dir_all(&cgroup.0).map_err(|e| format!("{}: {e}", cgroup.0.display()))?;
        fs::write(cgroup.0.join(limit), bytes.to_string())?;
        Ok(cgroup)
    }

    fn add(&self, process: u32) -> Outcome<()> {
        Ok(fs::write(self.0.join("cgroup.procs"), process.to_string())?)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // One that stays is used again, or in nobody's way.
        let _ = fs::remove_dir(&self.0);
    }
}

/// An engine, and what is in it.
struct Bench<'a> {
    engine: &'a dyn Engine,
    values: Values,
    keys: u64,
    seconds: f64,
}

impl Bench<'_> {
    fn run(&self, step: &Step) -> Outcome<Figures> {
        let mut figures = Figures::new();
        let all = match step {
            Load(at_once) => {
                let start = Instant::now();
                self.fill(*at_once)?;
                let rate = self.keys as f64 / start.elapsed().as_secs_f64();
                figures.insert("load".to_owned(), rate);
                &[]
            }
            Reopen => &[],
            Filled(all) => {
                self.fill(1000)?;
                *all
            }
            AsItIs(all) | Cold(all) => *all,
        };
        for groups in all {
            figures.extend(self.rates(groups)?);
        }
        Ok(figures)
    }

    /// Sets all keys, so many at once.
    fn fill(&self, at_once: u64) -> Outcome<()> {
        for first in (0..self.keys).step_by(at_once as usize) {
            let numbers = first..self.keys.min(first + at_once);
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
fn reopen(
    open: impl FnOnce() -> Outcome<Box<dyn Engine>>,
    values: &Values,
    keys: u64,
) -> Outcome<Figures> {
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
            bench.run(if is_new { &Filled(GETS) } else { &AsItIs(GETS) })
        };
        gets(true).unwrap();
        assert_eq!(reopen(open, &Values::new(16), 20).unwrap()["lost"], 0.0);
        KvStore::open(dir.path()).unwrap().remove(Key::new(7).as_str().to_owned()).unwrap();
        assert_eq!(gets(false).unwrap_err().to_string(), "key 7 has no value");
        assert_eq!(reopen(open, &Values::new(16), 20).unwrap()["lost"], 1.0);
    }
}
