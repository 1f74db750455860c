//! What holds of bytes from outside, whatever they are: on many inputs that are generated.

use super::promise::{Outcome, Run, count, for_each};
use kvs_test_kit::properties::PROPERTIES;

/// How many inputs are made with one seed.
const EACH: u64 = 500;

pub(crate) fn properties_hold(run: Run) -> Outcome {
    let counts = PROPERTIES.iter().map(|property| {
        let done = for_each(run.seeds(60, 4_000), |seed| {
            property.holds(seed, EACH, run.fault);
            Ok(EACH)
        })?;
        Ok(count(done.into_iter().sum::<u64>(), property.inputs, run.pick(30_000, 2_000_000)))
    });
    counts.collect()
}
