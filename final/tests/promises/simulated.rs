//! What is tried on the simulated disk, and on inputs that are generated.

use super::*;
use kvs_final::Result;
use kvs_test_kit::properties::{PROPERTIES, Reached};
use kvs_test_kit::simulated::crash::{self, Kind};
use kvs_test_kit::simulated::damage::{self, Damage, hints, overwritten};
use kvs_test_kit::simulated::{faults, workload};

/// A crash at every operation that changes the disk, and another in the recovery from it.
pub(crate) fn crashes(run: Run) -> Outcome {
    if run.injects("a disk that lies about its syncs") {
        crash::everywhere(Kind::LyingDisk, run.seed, 3)?;
    }
    if run.injects("a write that was never done, taken for acknowledged") {
        crash::everywhere(Kind::NeverWritten, run.seed, 1)?;
    }
    if run.injects("half of a batch, done without the other") {
        crash::everywhere(Kind::SplitBatches, run.seed, 1)?;
    }
    let mut crashes = Vec::new();
    for (kind, losses) in [(Kind::Always, 15), (Kind::BelowAlways, 10)] {
        let losses = run.pick(losses, losses) as usize;
        crashes.extend(for_each(run.seeds(4, 160), |seed| crash::everywhere(kind, seed, losses))?);
    }
    let (images, again) = sums(crashes);
    Ok(vec![
        count(images, "images after a crash", run.pick(25_000, 1_000_000)),
        count(again, "after a second one, during recovery", run.pick(1_000, 500_000)),
    ])
}

/// Every error at every place, once and for ever.
pub(crate) fn io_errors(run: Run) -> Outcome {
    let is_done: fn(&Result<()>) -> bool =
        if run.injects("an error taken for success") { |_| true } else { Result::is_ok };
    let steps = if cfg!(debug_assertions) { 70 } else { 190 };
    let runs = for_each(run.seeds(2, 50), |seed| Ok(faults::everywhere(seed, steps, is_done)))?;
    let runs = runs.into_iter().sum::<usize>();
    Ok(vec![count(runs, "runs, each with an error at one place", run.pick(8_000, 200_000))])
}

/// Damage of any length, to a store with records in its values.
pub(crate) fn salvage(run: Run) -> Outcome {
    let finds_all = run.injects("a value's bytes, taken for a record");
    let (seeds, places) = (run.seeds(10, 400), 500);
    let overwritten = |seed| overwritten(seed, places, finds_all);
    let given_up: usize = for_each(seeds.clone(), overwritten)?.into_iter().sum();
    let places = places as u64 * (seeds.end - seeds.start);
    Ok(vec![
        count(places, "overwritten places", places),
        count(given_up, "records behind them given up", 0),
    ])
}

/// Every flipped bit, every missing end and every byte too many; hints that are wrong; of killed stores every bit that counts.
pub(crate) fn damage(run: Run) -> Outcome {
    // Records beside those of the script, and how many bits a store has with them, at least.
    let (more, bits) = if cfg!(debug_assertions) { (0, 4_000) } else { (40, 13_000) };
    let hints = hints(run.fault)?;
    let stranger = Path::new(workload::DIR).join("stranger");
    for (fault, kind) in [
        ("damage that no checksum covers", damage::Kind::Bit),
        ("an end that no manifest names", damage::Kind::Behind),
    ] {
        if run.injects(fault) {
            Damage::to_a_store(run.seed, more, false).to_a_file(&stranger, kind, usize::MAX)?;
        }
    }
    let killed = for_each(run.seeds(10, 200), |seed| {
        let damage = Damage::to_a_store(seed, more, true);
        if run.injects("a killed store, taken for one after a restart") {
            damage.disk.set_session(Some(1));
        }
        Ok(damage.before_the_last_record()? as u64)
    })?;
    let stores = run.pick(10, 200);
    let counts =
        for_each(run.seeds(10, 200), |seed| Damage::to_a_store(seed, more, false).everywhere())?;
    let sum = |kind: usize| counts.iter().map(|counts| counts[kind] as u64).sum::<u64>();
    Ok(vec![
        count(sum(0), "flipped bits", bits * stores),
        count(sum(1), "missing ends", bits / 8 * stores),
        count(sum(2), "bytes behind an end", bits / 8 * stores),
        count(killed.iter().sum::<u64>(), "flipped bits of killed stores", bits / 2 * stores),
        count(hints, "hints that are wrong", 18),
    ])
}

/// What holds of bytes from outside, whatever they are.
pub(crate) fn properties(run: Run) -> Outcome {
    // How many inputs are made with one seed.
    const EACH: u64 = 500;
    let counts = PROPERTIES.iter().map(|property| {
        let holds = |seed| Ok(property.holds(seed, EACH, run.fault));
        let reached = for_each(run.seeds(60, 4_000), holds)?;
        let inputs = EACH * reached.len() as u64;
        let reached: BTreeSet<String> = reached.into_iter().flat_map(Reached::into_keys).collect();
        let of = property.inputs;
        if reached.len() < property.reaches {
            return Err(format!("{inputs} {of} come across no more than {reached:?}"));
        }
        Ok(count(inputs, of, run.pick(30_000, 2_000_000)))
    });
    counts.collect()
}
