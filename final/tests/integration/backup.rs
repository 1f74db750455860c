//! Copies of a store that is in use, made as the README says: its manifest before its segments.

use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine, KvsError};
use kvs_test_kit::injected::is_injected;
use kvs_test_kit::size::pick;
use kvs_test_kit::wait::until;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const WRITERS: usize = 3;
/// Of each store.
const COPIES: usize = 10;
/// Of each writer.
const KEYS: usize = 40;

/// A writer's keys are set twice and removed, in turn; but the first one is never removed.
fn write(writer: usize, number: usize) -> (String, Option<String>) {
    let (lap, key) = (number / KEYS, number % KEYS);
    let value = format!("{number} {}", "v".repeat(number % 90));
    (format!("{writer}-{key}"), (lap % 3 < 2 || key == 0).then_some(value))
}

/// When each write of a writer was begun, and when it was acknowledged. No two moments are the same.
type Log = Mutex<Vec<(u64, Option<u64>)>>;

/// Writes until it is told to stop.
fn work(store: &KvStore, writer: usize, log: &Log, now: impl Fn() -> u64, stop: &AtomicBool) {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let (key, value) = write(writer, number);
        log.lock().unwrap().push((now(), None));
        match value {
            Some(value) => store.set(key, value).unwrap(),
            None => store.remove(key).unwrap(),
        }
        log.lock().unwrap()[number].1 = Some(now());
    }
}

/// Fails unless the copy is what the store was at one moment, with each writer's first `before` writes.
fn is_a_moment(copy: &KvStore, before: &[usize], logs: &[Log]) -> Result<(), String> {
    let logs: Vec<_> = logs.iter().map(|log| log.lock().unwrap()).collect();
    let mut writes = Vec::new();
    for (writer, log) in logs.iter().enumerate() {
        let get = |key| copy.get(write(writer, key).0).unwrap();
        let found: Vec<Option<String>> = (0..KEYS).map(get).collect();
        let mut model = vec![None; KEYS];
        let mut made = (before[writer] - KEYS..log.len()).map(|number| {
            model[number % KEYS] = write(writer, number).1;
            (number + 1, model == found)
        });
        let made = made.find(|(writes, is_it)| *writes >= before[writer] && *is_it);
        let (writes_there, _) = made.ok_or_else(|| {
            let least = before[writer];
            format!(
                "what was acknowledged is missing, or something is torn: {found:?}, {least} writes"
            )
        })?;
        writes.push(writes_there);
    }
    let latest = logs.iter().zip(&writes).map(|(log, writes)| log[writes - 1].0).max().unwrap();
    for (log, writes) in logs.iter().zip(&writes) {
        if let Some((_, Some(acknowledged))) = log.get(*writes)
            && *acknowledged < latest
        {
            return Err("a write is there that began after one that is missing was done".to_owned());
        }
    }
    Ok(())
}

fn sh(script: &str, from: &Path, to: &Path) {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).args([from, to]).stderr(Stdio::null());
    // It fails if a segment vanishes; what was copied must not be taken for a store then.
    command.status().unwrap();
}

/// Copies the store in `dir` some times while it is written to. Returns how many copies were refused.
fn copy_under_load(store: &KvStore, dir: &Path) -> Result<usize, String> {
    let (clock, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let now = || clock.fetch_add(1, Ordering::SeqCst);
    let logs: Vec<Log> = (0..WRITERS).map(|_| Log::default()).collect();
    // The last one may not be acknowledged yet.
    let done = || logs.iter().map(|log| log.lock().unwrap().len().saturating_sub(1)).collect();
    let go_on = |writes: usize| {
        let before: Vec<usize> = done();
        until("all writers write", || {
            let now: Vec<usize> = done();
            now.iter().zip(&before).all(|(now, before)| *now > before + writes)
        });
    };
    thread::scope(|scope| {
        for (writer, log) in logs.iter().enumerate() {
            let stop = &stop;
            scope.spawn(move || work(store, writer, log, now, stop));
        }
        let copy = || {
            go_on(KEYS);
            let copy = TempDir::new().unwrap();
            if is_injected("a segment copied before the manifest") {
                sh(r#"cp $(ls "$1"/*.seg | tail -1) "$2""#, dir, copy.path());
                go_on(KEYS);
            }
            let before: Vec<usize> = done();
            sh(r#"cp "$1/engine" "$1/MANIFEST" "$2"; cp -n "$1"/*.seg "$2""#, dir, copy.path());
            match KvStore::open(copy.path()) {
                Ok(copy) => is_a_moment(&copy, &before, &logs).map(|()| 0),
                Err(KvsError::File { .. } | KvsError::Damaged { .. }) => Ok(1),
                Err(other) => Err(other.to_string()),
            }
        };
        let refused = (0..COPIES).map(|_| copy()).sum();
        stop.store(true, Ordering::Relaxed);
        refused
    })
}

#[test]
fn a_copy_under_load_is_refused_or_opens_as_a_moment_of_the_store() {
    let (mut refused, mut compactions) = (0, 0);
    let levels =
        [Durability::Always, Durability::Interval(Duration::from_millis(5)), Durability::Os];
    let rounds = levels.repeat(pick(1, 20));
    for level in &rounds {
        let dir = TempDir::new().unwrap();
        let options = KvStoreOptions::new().durability(*level).segment_bytes(50_000);
        let store = options.compact_at(100_000).open(dir.path()).unwrap();
        refused += copy_under_load(&store, dir.path()).unwrap();
        compactions += store.stats().compactions;
    }
    let copies = rounds.len() * COPIES;
    println!("{copies} copies, {refused} of them refused, {compactions} compactions");
    assert!(refused < copies / 2 && compactions > 0);
}
