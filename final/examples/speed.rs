//! How fast the engines are, side by side in one run: our store, sled, and for synced writes the
//! limit of the shape, a file that is appended to and synced.
//!
//! ```console
//! $ cargo run --release -p final --example speed -- 1000000
//! ```
//!
//! The number is how many keys there are. Two rounds, the engines in turn; some eight minutes, most
//! of them sled being loaded, whose every write is flushed. Every answer is
//! compared. The figures are thousands of operations a second: look at the ratios of one run.

use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine, SledKvsEngine};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};
use std::{env, error::Error, fs, process, thread};
use tempfile::TempDir;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long a workload is measured.
const TIME: Duration = Duration::from_secs(2);
const ROUNDS: usize = 2;

fn key(number: u64) -> String {
    format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A value of `len` bytes; another one for each version, for an engine may skip what changes nothing.
fn value(version: u64, len: usize) -> String {
    let mut value = format!("{version:016x}");
    value.extend(std::iter::repeat_n('v', len - 16));
    value
}

/// Numbers in no order: xorshift64, after Marsaglia (2003).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Runs `work` on so many threads until the time is over; thousands of calls a second.
fn rate(threads: u64, work: impl Fn(u64, &mut Random) + Sync) -> f64 {
    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let start = Instant::now();
    thread::scope(|scope| {
        for thread in 0..threads {
            let (stop, calls, work) = (&stop, &calls, &work);
            scope.spawn(move || {
                let mut random = Random(0x1234_5678_9abc_def1 + thread * 7919);
                let mut done = 0;
                while !stop.load(Ordering::Relaxed) {
                    work(thread, &mut random);
                    done += 1;
                }
                calls.fetch_add(done, Ordering::Relaxed);
            });
        }
        thread::sleep(TIME);
        stop.store(true, Ordering::Relaxed);
    });
    calls.into_inner() as f64 / start.elapsed().as_secs_f64() / 1000.0
}

fn get(store: &impl KvsEngine, number: u64, len: usize) {
    let found = store.get(key(number)).unwrap_or_default();
    assert_eq!(found.map(|value| value.len()), Some(len));
}

fn set(store: &impl KvsEngine, number: u64, version: u64, len: usize) {
    if let Err(error) = store.set(key(number), value(version, len)) {
        panic!("{error}");
    }
}

fn report(what: &str, engine: &str, figure: f64, unit: &str) {
    println!("{what:<34} {engine:<8} {figure:>10.1} {unit}");
}

fn memory() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0.0) * 1024.0
}

/// Everything but synced writes, on one engine.
fn workloads<E: KvsEngine + Sync>(name: &str, store: &E, keys: u64, len: usize) {
    let start = Instant::now();
    for number in 0..keys {
        set(store, number, number, len);
    }
    let rate_of_load = keys as f64 / start.elapsed().as_secs_f64() / 1000.0;
    report(&format!("load, {len} B, 1 thread"), name, rate_of_load, "k/s");
    for threads in [1, 2, 4] {
        let get = |_, random: &mut Random| get(store, random.below(keys), len);
        report(&format!("get, {len} B, {threads} threads"), name, rate(threads, get), "k/s");
    }
    for (percent, threads) in [(5, 4), (50, 2), (50, 4)] {
        let mixed = |_, random: &mut Random| {
            let number = random.below(keys);
            if random.below(100) < percent {
                set(store, number, random.0, len)
            } else {
                get(store, number, len)
            }
        };
        let what = format!("{percent} % set, {len} B, {threads} threads");
        report(&what, name, rate(threads, mixed), "k/s");
    }
    let reads = AtomicU64::new(0);
    rate(5, |thread, random| {
        if thread == 0 {
            set(store, random.below(keys), random.0, len);
        } else {
            get(store, random.below(keys), len);
            reads.fetch_add(1, Ordering::Relaxed);
        }
    });
    let reads = reads.into_inner() as f64 / TIME.as_secs_f64() / 1000.0;
    report(&format!("4 readers beside a writer, {len} B"), name, reads, "k/s");
}

fn synced<E: KvsEngine + Sync>(name: &str, store: &E) {
    for threads in [1, 8, 64] {
        let set = |_, random: &mut Random| set(store, random.below(100_000), random.0, 16);
        report(&format!("synced set, {threads} threads"), name, rate(threads, set), "k/s");
    }
}

/// The limit: records of the same length, appended and synced in groups, and nothing else.
fn synced_raw(dir: &Path) -> Outcome<()> {
    struct Log {
        written: u64,
        synced: u64,
        syncing: bool,
    }
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(true).open(dir.join("raw"))?;
    for offset in 0..256 {
        file.write_all_at(&[0; 1 << 20], offset << 20)?;
    }
    file.sync_all()?;
    for threads in [1, 8, 64] {
        let log = Mutex::new(Log { written: 0, synced: 0, syncing: false });
        let done = Condvar::new();
        let raw = |_, _: &mut Random| {
            let Ok(mut state) = log.lock() else { return };
            let record = [b'r'; 47];
            if file.write_all_at(&record, state.written).is_err() {
                return;
            }
            state.written += 47;
            let mine = state.written;
            while state.synced < mine {
                if state.syncing {
                    state = match done.wait(state) {
                        Ok(state) => state,
                        Err(_) => return,
                    };
                    continue;
                }
                state.syncing = true;
                let written = state.written;
                drop(state);
                let synced = file.sync_data();
                state = match log.lock() {
                    Ok(state) => state,
                    Err(_) => return,
                };
                assert!(synced.is_ok());
                state.synced = written;
                state.syncing = false;
                done.notify_all();
            }
        };
        report(&format!("synced set, {threads} threads"), "raw", rate(threads, raw), "k/s");
    }
    Ok(())
}

/// Fills a store and dies without closing it, in a process of its own.
fn fill_and_die(dir: &str, keys: u64) -> Outcome<()> {
    let store = KvStore::open(dir)?;
    for number in 0..keys {
        set(&store, number, number, 16);
    }
    process::abort()
}

fn open_after_kill(keys: u64) -> Outcome<()> {
    let dir = TempDir::new()?;
    let path = dir.path().to_string_lossy().into_owned();
    process::Command::new(env::current_exe()?).args(["fill", &path, &keys.to_string()]).status()?;
    for round in 0..ROUNDS {
        let before = memory();
        let start = Instant::now();
        let store = KvStore::open(dir.path())?;
        report("open after a kill, 16 B", "kvs", start.elapsed().as_secs_f64() * 1000.0, "ms");
        assert_eq!(store.stats().keys, keys);
        if round == 0 {
            // Later there is memory of what went before, which the allocator uses again.
            let per_key = (memory() - before) / keys as f64;
            report("memory, 16 B", "kvs", per_key, "bytes a key, the key's 16 included");
        }
        // As if it had been killed again: not closed.
        std::mem::forget(store);
        fs::remove_file(dir.path().join("engine"))?;
    }
    Ok(())
}

fn main() -> Outcome<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let keys = match args[..] {
        ["fill", dir, keys] => return fill_and_die(dir, keys.parse()?),
        [keys] => keys.parse()?,
        _ => 1_000_000,
    };
    println!("{keys} keys, {} cores", num_cpus::get());
    open_after_kill(keys)?;
    for _ in 0..ROUNDS {
        for len in [16, 1024] {
            let dir = TempDir::new()?;
            let store = KvStoreOptions::new().durability(Durability::Os).open(dir.path())?;
            workloads("kvs", &store, keys, len);
        }
        let dir = TempDir::new()?;
        let options = KvStoreOptions::new().durability(Durability::Os).map_sealed(true);
        workloads("kvs, map", &options.open(dir.path())?, keys, 1024);
        let dir = TempDir::new()?;
        workloads("sled", &SledKvsEngine::open_with(dir.path(), Durability::Os)?, keys, 16);
        let dir = TempDir::new()?;
        synced_raw(dir.path())?;
        let dir = TempDir::new()?;
        synced("kvs", &KvStoreOptions::new().durability(Durability::Always).open(dir.path())?);
        let dir = TempDir::new()?;
        synced("sled", &SledKvsEngine::open_with(dir.path(), Durability::Always)?);
    }
    Ok(())
}
