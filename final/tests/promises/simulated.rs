//! What is tried on the simulated disk. Ordinary tests do the same at another size.

use super::Result;
use super::row::{Outcome, Size, count, failed, over};
use kvs_test_kit::simulated::{crash, damage, faults, workload};
use std::path::Path;

/// The sum of each part of pairs.
fn sums(pairs: Vec<(usize, usize)>) -> (usize, usize) {
    pairs.into_iter().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
}

/// A crash at every operation that changes the disk, and another in the recovery from it.
pub(crate) fn crashes(size: Size) -> Outcome {
    let seeds = size.seed..size.seed + size.pick(4, 160);
    let (images, again) = sums(over(seeds.clone(), crash::at_level_always)?);
    let (images_os, again_os) = sums(over(seeds, crash::below_level_always)?);
    Ok(vec![
        count(images + images_os, "images after a crash", size.pick(25_000, 1_000_000)),
        count(again + again_os, "after a second one, during recovery", size.pick(1_000, 500_000)),
    ])
}

pub(crate) fn crashes_of_a_disk_that_lies(size: Size) -> Outcome {
    over(size.seed..size.seed + 1, crash::on_a_disk_that_lies)?;
    Ok(Vec::new())
}

/// Every error at every place, once and for ever.
pub(crate) fn faults(size: Size) -> Outcome {
    let seeds = size.seed..size.seed + size.pick(2, 50);
    let runs = over(seeds, |seed| Ok(faults::everywhere(seed, Result::is_ok)))?;
    Ok(vec![count(
        runs.into_iter().sum::<usize>(),
        "runs, each with an error at one place",
        size.pick(8_000, 200_000),
    )])
}

pub(crate) fn faults_taken_for_success(size: Size) -> Outcome {
    over(size.seed..size.seed + 1, |seed| Ok(faults::everywhere(seed, |_| true)))?;
    Ok(Vec::new())
}

/// Every flipped bit and every missing end.
pub(crate) fn damage(size: Size) -> Outcome {
    let stores = size.pick(10, 200);
    let seeds = size.seed..size.seed + stores;
    let damage = |seed| damage::Damage::to_a_store(seed, 40).everywhere();
    let (flips, ends) = sums(over(seeds, damage)?);
    Ok(vec![
        count(flips, "flipped bits", 6_500 * stores),
        count(ends, "missing ends", 800 * stores),
    ])
}

pub(crate) fn damage_that_no_checksum_covers(size: Size) -> Outcome {
    let damage = damage::Damage::to_a_store(size.seed, 40);
    let stranger = Path::new(workload::DIR).join("stranger");
    damage.to_a_file(&stranger).map_err(failed(size.seed))?;
    Ok(Vec::new())
}
