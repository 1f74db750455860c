//! What clients of a store see of a key is what they would see if each operation happened at one
//! moment: in one process, over a connection, and while compaction runs.

use super::history::Checker;
use super::load::{self, Client, Direct, Load, Numbers};
use super::row::{Count, Outcome, Size, Stop, count, failed};
use super::small::{Bug, Small};
use super::support::local::Local;
use kvs_final::thread_pool::{NaiveThreadPool, RayonThreadPool, SharedQueueThreadPool, ThreadPool};
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsClient, KvsEngine, Limits};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Few, so that clients meet.
const KEYS: Load = Load { keys: 24, steady: 8, apart: false, operations: 0 };
/// How many operations are checked at a time.
const STRETCH: usize = 100_000;
const MILLION: u64 = 1_000_000;

/// Has clients ask, stretch by stretch, until there were so many operations, and checks all of it.
/// Returns how many there were.
fn check<C: Client>(clients: &mut [C], operations: usize, seed: u64) -> Result<u64, Stop> {
    let (mut checker, mut numbers) = (Checker::default(), Numbers::default());
    let mut done = 0;
    while done < operations {
        numbers.begin_stretch();
        let share = STRETCH.min(operations - done).div_ceil(clients.len());
        let load = Load { operations: share, ..KEYS };
        let seen = load::run(clients, load, &numbers, seed ^ (done as u64) << 20);
        let events = seen.and_then(load::all_went_well).map_err(failed(seed))?;
        done += events.len();
        checker.check(events, &[]).map_err(|error| failed(seed)(error.to_string()))?;
    }
    Ok(done as u64)
}

/// A store that compacts every other moment.
fn store() -> (tempfile::TempDir, KvStore) {
    let dir = tempfile::tempdir().unwrap();
    let options = KvStoreOptions::new().durability(Durability::Os).compact_at(128 << 10);
    let store = options.segment_bytes(256 << 10).open(dir.path()).unwrap();
    (dir, store)
}

/// In this process, with 4 threads and with 8.
pub(crate) fn in_process(size: Size) -> Outcome {
    let each = size.pick(5 * MILLION, 100 * MILLION);
    let (mut operations, mut compactions) = (0, 0);
    for threads in [4, 8] {
        let (_dir, store) = store();
        let mut clients = vec![Direct(store.clone()); threads];
        operations += check(&mut clients, each as usize, size.seed)?;
        compactions += store.stats().compactions;
    }
    Ok(vec![
        count(operations, "operations of 4 and of 8 threads", 2 * each),
        count(compactions, "compactions meanwhile", size.pick(100, 2_000)),
    ])
}

/// By clients of a server with this engine.
fn over_tcp<P: ThreadPool + Send + 'static>(
    engine: impl KvsEngine,
    operations: usize,
    seed: u64,
) -> Result<u64, Stop> {
    let server = Local::start_on(P::new(2).unwrap(), engine, Limits::default());
    let mut clients: Vec<_> = (0..8).map(|_| KvsClient::connect(server.addr).unwrap()).collect();
    check(&mut clients, operations, seed)
}

fn through<P: ThreadPool + Send + 'static>(name: &str, size: Size) -> Result<Count, Stop> {
    let (_dir, store) = store();
    let wanted = size.pick(300_000, 10_000_000);
    let operations = over_tcp::<P>(store, wanted as usize, size.seed)?;
    Ok(count(operations, format!("operations of 8 clients through {name}"), wanted))
}

/// Over TCP, through each of the pools.
pub(crate) fn through_each_pool(size: Size) -> Outcome {
    Ok(vec![
        through::<NaiveThreadPool>("the naive pool", size)?,
        through::<SharedQueueThreadPool>("the shared queue", size)?,
        through::<RayonThreadPool>("rayon", size)?,
    ])
}

/// The small engine, compacting all the time.
pub(crate) fn small(bug: Option<Bug>, operations: usize, seed: u64) -> Result<u64, Stop> {
    let engine = Small::new(bug);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                engine.compact();
                thread::yield_now();
            }
        });
        let checked = check(&mut vec![Direct(engine.clone()); 4], operations, seed);
        done.store(true, Ordering::Relaxed);
        checked
    })
}

/// A mistake is noticed within so many operations.
pub(crate) const SOON: usize = 4_000_000;

/// For the table of rows.
pub(crate) fn with<const BUG: usize>(size: Size) -> Outcome {
    let operations = small(Some(Bug::ALL[BUG]), SOON, size.seed)?;
    Ok(vec![count(operations, "operations", 0)])
}

/// Over TCP too.
pub(crate) fn stale_over_tcp(size: Size) -> Outcome {
    let engine = Small::new(Some(Bug::StaleRead));
    over_tcp::<SharedQueueThreadPool>(engine, SOON, size.seed)?;
    Ok(Vec::new())
}
