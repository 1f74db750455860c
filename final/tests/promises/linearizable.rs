//! What clients of a store see of a key is what they would see if each operation happened at one
//! moment: in one process, over a connection, and while compaction runs.

use super::buggy_engine::BuggyEngine;
use super::load::Client;
use super::*;

/// How many operations are checked at a time.
const STRETCH: u64 = 20_000;
const MILLION: u64 = 1_000_000;
/// Within so many operations a bug is noticed.
const SOON: u64 = 4 * MILLION;

/// Has clients ask, stretch by stretch, until there were so many operations, and checks all of it.
/// Returns how many there were.
fn check<C: Client>(clients: &mut [C], operations: u64, seed: u64) -> Result<u64, String> {
    let (mut checker, mut numbers) = (Checker::default(), Numbers::default());
    let mut done = 0;
    while done < operations {
        numbers.begin_stretch();
        let share = STRETCH.min(operations - done).div_ceil(clients.len() as u64);
        let (events, error) = load::run(clients, share, &numbers, seed ^ done << 20)?;
        if let Some((_, error)) = error {
            return Err(format!("a client got the error: {error}"));
        }
        done += events.len() as u64;
        checker.check(events, false)?;
    }
    Ok(done)
}

/// A store that compacts every other moment.
fn store() -> (tempfile::TempDir, KvStore) {
    let dir = tempfile::tempdir().unwrap();
    let options = KvStoreOptions::new().durability(Durability::Os).compact_at(128 << 10);
    let store = options.segment_bytes(256 << 10).open(dir.path()).unwrap();
    (dir, store)
}

/// In this process, with 4 threads and with 8.
pub(crate) fn in_process(run: Run) -> Outcome {
    if !run.fault.is_empty() {
        of_buggy_engine(run.fault, SOON, run.seed)?;
    }
    let each = run.pick(5 * MILLION, 100 * MILLION);
    let (mut operations, mut compactions) = (0, 0);
    for threads in [4, 8] {
        let (_dir, store) = store();
        let mut clients = vec![Direct(store.clone()); threads];
        operations += check(&mut clients, each, run.seed)?;
        compactions += store.stats().compactions;
    }
    Ok(vec![
        count(operations, "operations of 4 and of 8 threads", 2 * each),
        count(compactions, "compactions meanwhile", run.pick(100, 2_000)),
    ])
}

/// By clients of a server with this engine.
fn through<P: ThreadPool + Send + 'static>(
    engine: impl KvsEngine,
    operations: u64,
    seed: u64,
) -> Result<u64, String> {
    let limits = Limits { jobs: 2, ..Limits::default() };
    let server = Local::start_on(P::new(2).unwrap(), engine, limits);
    // A loop that begins late would be left without clients.
    until("both loops have begun", || stat(&mut server.connect(), "jobs") == 2);
    let mut clients: Vec<_> = (0..8).map(|_| KvsClient::connect(server.addr).unwrap()).collect();
    check(&mut clients, operations, seed)
}

/// Over TCP, through each of the pools.
pub(crate) fn over_tcp(run: Run) -> Outcome {
    if !run.fault.is_empty() {
        through::<SharedQueueThreadPool>(BuggyEngine::new(run.fault), SOON, run.seed)?;
    }
    fn through_pool<P: ThreadPool + Send + 'static>(name: &str, run: Run) -> Result<Count, String> {
        let (_dir, store) = store();
        let wanted = run.pick(300_000, 10 * MILLION);
        let operations = through::<P>(store, wanted, run.seed)?;
        Ok(count(operations, format!("operations of 8 clients through {name}"), wanted))
    }
    Ok(vec![
        through_pool::<NaiveThreadPool>("the naive pool", run)?,
        through_pool::<SharedQueueThreadPool>("the shared queue", run)?,
        through_pool::<RayonThreadPool>("rayon", run)?,
    ])
}

/// The small engine, compacting all the time.
fn of_buggy_engine(bug: &'static str, operations: u64, seed: u64) -> Result<u64, String> {
    let engine = BuggyEngine::new(bug);
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

/// Each bug of the small engine is noticed, and without one there is nothing to notice.
pub(crate) fn only_bugs_are_noticed() {
    of_buggy_engine("", 200_000, 0).unwrap();
    let promise = PROMISES.iter().find(|promise| promise.name == "linearizable-in-process");
    promise.unwrap().notices_its_faults(Run { seed: 0, deep: false, fault: "" }).unwrap();
}
