//! Power cuts on real file systems, with the store under load.

use super::history::{Checker, Event, LATE, Op};
use super::load::{self, Direct, Load, Numbers};
use super::row::{Outcome, Size, Stop, count, failed};
use super::support::power::Powered;
use fastrand::Rng;
use kvs_final::{Durability, KvStore, KvStoreOptions, KvsEngine, KvsError, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const CLIENTS: usize = 4;
/// Small, so that rotations and compactions are cut off as well.
const SEGMENT: u32 = 16 << 10;

/// A store whose power is cut.
struct Engine<E> {
    open: fn(&Path) -> Result<E>,
    /// What makes all safe that was acknowledged before; none if that is safe anyway.
    sync: Option<fn(&E) -> Result<()>>,
    /// The power is cut after less than so many moments.
    moments: u32,
}

/// Cuts the power of a store again and again, and checks that each of its keys is, before and after
/// the cut, what operations that happen at one moment make of it: what was acknowledged, before a
/// sync that was done if need be, is there; what was under way is or is not. Returns how many writes
/// were acknowledged so.
fn cut<E: KvsEngine>(
    powered: &Powered,
    engine: &Engine<E>,
    load: Load,
    cuts: u64,
    seed: u64,
) -> std::result::Result<u64, String> {
    let (mut checker, mut numbers) = (Checker::default(), Numbers::default());
    let mut random = Rng::with_seed(seed);
    let keys = if load.apart { load.keys * CLIENTS as u32 } else { load.keys };
    let mut acknowledged = 0;
    // And once more to look at what the last one left.
    for number in 0..=cuts {
        numbers.begin_stretch();
        let words = |error| format!("after {number} cuts: {error}");
        let store = (engine.open)(&powered.dir().join("store"));
        let store = store.map_err(|error| words(error.to_string()))?;
        let mut events = load::look(&mut Direct(store.clone()), keys, &numbers).map_err(words)?;
        let opened = numbers.moment();
        let after = opened + random.u32(0..engine.moments);
        let mut clients = vec![Direct(store.clone()); CLIENTS];
        let switch = powered.switch().map_err(words)?;
        // When each sync began, from the last cut's recovery on, and when it was done.
        let mut syncs = vec![(opened, opened)];
        // Only ends the syncs: `Relaxed`.
        let is_cut = AtomicBool::new(false);
        let end = || {
            let cut = switch.cut();
            is_cut.store(true, Ordering::Relaxed);
            cut
        };
        let ended = thread::scope(|scope| {
            if let Some(sync) = engine.sync {
                let (numbers, syncs, is_cut) = (&numbers, &mut syncs, &is_cut);
                let store = store.clone();
                scope.spawn(move || {
                    while !is_cut.load(Ordering::Relaxed) {
                        let begun = numbers.moment();
                        if sync(&store).is_ok() {
                            syncs.push((begun, numbers.moment()));
                        }
                    }
                });
            }
            load::run_until(&mut clients, load, &numbers, seed << 32 | number, after, end)
        });
        // sled panics here too.
        let _ = catch_unwind(AssertUnwindSafe(|| drop((store, clients))));
        let ended = ended.map_err(words)?;
        ended.said.map_err(words)?;
        let safe = match engine.sync {
            None => ended.at,
            Some(_) => begun_before(&syncs, ended.at),
        };
        events.extend(before(safe, ended.events.into_iter()));
        let is_write = |event: &&Event| !matches!(event.op, Op::Found(_)) && event.end.is_some();
        acknowledged += events.iter().filter(is_write).count() as u64;
        let crash = numbers.moment();
        checker.check(events, &[crash]).map_err(|error| words(error.to_string()))?;
        powered.restore().map_err(words)?;
    }
    Ok(acknowledged)
}

/// When the last sync began that was done when the power was cut.
fn begun_before(syncs: &[(u32, u32)], cut: u32) -> u32 {
    let done = syncs.iter().filter(|(_, done)| *done < cut);
    done.map(|(begun, _)| *begun).max().unwrap_or_default()
}

/// What was seen before the power was cut, or before what is safe ends. Writes that had not returned by
/// then have happened or not; a client may have begun more of them until it met the error.
fn before(cut: u32, seen: impl Iterator<Item = Event>) -> impl Iterator<Item = Event> {
    seen.filter_map(move |event| match event.end {
        Some(end) if end < cut => Some(event),
        _ if matches!(event.op, Op::Found(_)) => None,
        _ => {
            let client = if event.call < cut { event.client } else { LATE };
            // It found something, but that is for nobody to know.
            let op = if event.op == Op::Removed { Op::MaybeRemoved } else { event.op };
            Some(Event { op, client, end: None, ..event })
        }
    })
}

fn on<E: KvsEngine>(
    kind: &str,
    engine: &Engine<E>,
    load: Load,
    cuts: u64,
    seed: u64,
) -> std::result::Result<u64, Stop> {
    let powered = Powered::new(kind).map_err(Stop::Skipped)?;
    cut(&powered, engine, load, cuts, seed).map_err(failed(seed))
}

const LOAD: Load = Load { keys: 24, steady: 8, apart: false, operations: usize::MAX };

fn kv_store(dir: &Path, level: Durability) -> Result<KvStore> {
    let options = KvStoreOptions::new().durability(level).segment_bytes(SEGMENT);
    options.compact_at(SEGMENT.into()).open(dir)
}

const ALWAYS: Engine<KvStore> =
    Engine { open: |dir| kv_store(dir, Durability::Always), sync: None, moments: 2_000 };

/// There are more writes to a sync here.
const INTERVAL: Engine<KvStore> = Engine {
    open: |dir| kv_store(dir, Durability::Interval(Duration::from_millis(5))),
    sync: Some(KvStore::sync),
    moments: 40_000,
};

/// Our own store at level `always`.
fn of_the_store_on(kind: &str, cuts: u64, seed: u64) -> Outcome {
    let acknowledged = on(kind, &ALWAYS, LOAD, cuts, seed)?;
    Ok(vec![
        count(cuts, format!("power cuts on {kind}"), cuts),
        count(acknowledged, "acknowledged writes", 10 * cuts),
    ])
}

pub(crate) fn of_the_store(size: Size) -> Outcome {
    let mut counts = of_the_store_on("ext4", size.pick(200, 5_000), size.seed)?;
    let cuts = size.pick(50, 5_000);
    let acknowledged = on("ext4", &INTERVAL, LOAD, cuts, size.seed)?;
    counts.push(count(cuts, "power cuts at level interval", cuts));
    counts.push(count(acknowledged, "writes acknowledged before a sync", 100 * cuts));
    Ok(counts)
}

/// A row of its own: where there is no XFS there may be ext4.
pub(crate) fn of_the_store_on_xfs(size: Size) -> Outcome {
    of_the_store_on("xfs", size.pick(100, 5_000), size.seed)
}

/// sled shows a write to others before it is safe; so each client has keys of its own.
const APART: Load = Load { keys: 8, steady: 2, apart: true, ..LOAD };

/// sled panics when a write fails.
#[derive(Clone)]
struct Unpanicking<E>(E);

fn without_panic<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    let panicked = |_| Err(KvsError::Server("sled panicked".to_owned()));
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(panicked)
}

impl<E: KvsEngine> KvsEngine for Unpanicking<E> {
    fn set(&self, key: String, value: String) -> Result<()> {
        without_panic(|| self.0.set(key, value))
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        without_panic(|| self.0.get(key))
    }

    fn remove(&self, key: String) -> Result<()> {
        without_panic(|| self.0.remove(key))
    }
}

/// sled as it is: a write is acknowledged after its `flush`.
#[derive(Clone)]
struct PlainSled(sled::Db);

fn engine_error(error: sled::Error) -> KvsError {
    KvsError::Engine(error.to_string().into())
}

impl KvsEngine for PlainSled {
    fn set(&self, key: String, value: String) -> Result<()> {
        self.0.insert(key, value.into_bytes()).map_err(engine_error)?;
        self.0.flush().map(drop).map_err(engine_error)
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        let value = self.0.get(key).map_err(engine_error)?;
        Ok(value.map(|value| String::from_utf8(value.to_vec()).unwrap()))
    }

    fn remove(&self, key: String) -> Result<()> {
        let removed = self.0.remove(key).map_err(engine_error)?;
        self.0.flush().map_err(engine_error)?;
        removed.map(drop).ok_or(KvsError::KeyNotFound)
    }
}

/// What must lose, or the power cuts prove nothing.
pub(crate) fn of_plain_sled(size: Size) -> Outcome {
    let open = |dir: &Path| {
        let db = sled::open(dir).map_err(engine_error)?;
        Ok(Unpanicking(PlainSled(db)))
    };
    let engine = Engine { open, sync: None, moments: 2_000 };
    on("ext4", &engine, APART, 20, size.seed).map(|_| Vec::new())
}

/// The store at the level that promises less.
fn at_level_os(kind: &str, seed: u64) -> Outcome {
    let open = |dir: &Path| KvStoreOptions::new().durability(Durability::Os).open(dir);
    on(kind, &Engine { open, ..ALWAYS }, LOAD, 20, seed).map(|_| Vec::new())
}

pub(crate) fn of_the_store_at_level_os(size: Size) -> Outcome {
    at_level_os("ext4", size.seed)
}

pub(crate) fn of_the_store_at_level_os_on_xfs(size: Size) -> Outcome {
    at_level_os("xfs", size.seed)
}

/// The same, said to be safe after a sync that does nothing.
pub(crate) fn of_syncs_that_do_nothing(size: Size) -> Outcome {
    let open = |dir: &Path| KvStoreOptions::new().durability(Durability::Os).open(dir);
    let engine = Engine { open, sync: Some(|_| Ok(())), ..INTERVAL };
    on("ext4", &engine, LOAD, 20, size.seed).map(|_| Vec::new())
}
