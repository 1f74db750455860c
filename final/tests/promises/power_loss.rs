//! Power losses on real file systems, with the store under load.

use super::load::Ended;
use super::*;
use kvs_final::Result;

const CLIENTS: usize = 4;
/// Small, so that rotations and compactions are interrupted as well.
const SEGMENT: u32 = 16 << 10;

/// A store whose power is cut.
struct Store {
    open: fn(&Path) -> Result<KvStore>,
    /// What makes durable whatever was acknowledged before; none if that is durable anyway.
    sync: Option<fn(&KvStore) -> Result<()>>,
    /// The power is cut after less than so many moments.
    moments: u32,
}

const ALWAYS: Store =
    Store { open: |dir| open(dir, Durability::Always), sync: None, moments: 2_000 };

/// There are more writes to a sync here.
const INTERVAL: Store = Store {
    open: |dir| open(dir, Durability::Interval(Duration::from_millis(5))),
    sync: Some(KvStore::sync),
    moments: 40_000,
};

fn open(dir: &Path, level: Durability) -> Result<KvStore> {
    let options = KvStoreOptions::new().durability(level).segment_bytes(SEGMENT);
    options.compact_at(SEGMENT.into()).open(dir)
}

/// At the level that promises less, with segments so large that none is sealed, which would sync it.
fn open_os(dir: &Path) -> Result<KvStore> {
    KvStoreOptions::new().durability(Durability::Os).open(dir)
}

impl Store {
    /// Cuts the power of a store again and again: what was acknowledged, before a sync that was done if
    /// need be, is there; what was under way is or is not. Returns how many writes were acknowledged so.
    fn on(&self, file_system: &str, losses: u64, seed: u64) -> result::Result<u64, String> {
        let volume = Volume::new(file_system)?;
        let mut random = StdRng::seed_from_u64(seed);
        let ended = load::end_again_and_again(losses, |number, numbers| {
            let moments = random.random_range(0..self.moments);
            let events = self.until_power_loss(&volume, numbers, moments, seed << 32 | number)?;
            volume.restore()?;
            Ok(events)
        });
        ended.map(|(_, writes)| writes)
    }

    /// Opens the store and has clients work on it for so many moments, until the power is cut. Returns
    /// what is known of their operations.
    fn until_power_loss(
        &self,
        volume: &Volume,
        numbers: &Numbers,
        moments: u32,
        seed: u64,
    ) -> result::Result<Vec<Event>, String> {
        let store = (self.open)(&volume.dir().join("store")).map_err(|error| error.to_string())?;
        let mut clients = vec![Direct(store.clone()); CLIENTS];
        let switch = volume.switch()?;
        // Only ends the syncs: `Relaxed`.
        let is_over = AtomicBool::new(false);
        let (syncs, ended) = thread::scope(|scope| {
            // When each sync began, and when it was done.
            let syncs = scope.spawn(|| {
                let mut syncs = Vec::new();
                while let (Some(sync), false) = (self.sync, is_over.load(Ordering::Relaxed)) {
                    let begun = numbers.moment();
                    if sync(&store).is_ok() {
                        syncs.push((begun, numbers.moment()));
                    }
                }
                syncs
            });
            let ended = load::run_until(&mut clients, numbers, seed, moments, || switch.cut());
            is_over.store(true, Ordering::Relaxed);
            (syncs.join().unwrap(), ended)
        });
        let Ended { begun, at, result, events } = ended?;
        result?;
        let done = syncs.iter().filter(|(_, done)| *done < at).map(|(begun, _)| *begun);
        // What was acknowledged, or seen, before this moment is durable.
        let durable = if self.sync.is_none() { at } else { done.max().unwrap_or(begun).max(begun) };
        Ok(events.into_iter().filter_map(|event| known(event, durable)).collect())
    }
}

/// What is known of an operation after a power loss. A write that had not returned while what returned
/// was durable has happened or not; a client may have begun more of them until it met the error.
fn known(event: Event, durable: u32) -> Option<Event> {
    match event.end {
        Some(end) if end < durable => Some(event),
        _ if event.op.is_read() => None,
        _ => {
            let client = if event.call < durable { event.client } else { UNHEARD };
            // It found something, but that is for nobody to know.
            let op = match event.op {
                Op::Removed => Op::MaybeRemoved,
                Op::Swapped(expected, new) => Op::MaybeSwapped(expected, new),
                op => op,
            };
            Some(Event { op, client, end: None, ..event })
        }
    }
}

/// Whether this file system can be had here.
pub(crate) fn needs_ext4() -> result::Result<(), String> {
    Volume::new("ext4").map(drop)
}

pub(crate) fn needs_xfs() -> result::Result<(), String> {
    Volume::new("xfs").map(drop)
}

/// At level `interval`, and at level `always`.
pub(crate) fn on_ext4(run: Run) -> Outcome {
    let sync: fn(&KvStore) -> Result<()> = |_| Ok(());
    let interval = match run.injects("syncs that do nothing") {
        true => Store { open: open_os, sync: Some(sync), ..INTERVAL },
        false => INTERVAL,
    };
    let losses = run.pick(50, 5_000);
    let acknowledged = interval.on("ext4", losses, run.seed)?;
    let mut counts = at_level_always("ext4", run.pick(200, 5_000), run)?;
    counts.push(count(losses, "power losses at level `interval`", losses));
    counts.push(count(acknowledged, "writes acknowledged before a sync", 100 * losses));
    Ok(counts)
}

/// A promise of its own: where there is no XFS there may be ext4.
pub(crate) fn on_xfs(run: Run) -> Outcome {
    at_level_always("xfs", run.pick(100, 5_000), run)
}

fn at_level_always(file_system: &str, losses: u64, run: Run) -> Outcome {
    let is_weaker = run.injects("level `os`");
    let store = if is_weaker { Store { open: open_os, ..ALWAYS } } else { ALWAYS };
    let acknowledged = store.on(file_system, losses, run.seed)?;
    Ok(vec![
        count(losses, format!("power losses on {file_system}"), losses),
        count(acknowledged, "acknowledged writes", 10 * losses),
    ])
}
