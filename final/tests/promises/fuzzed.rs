//! The properties of the fuzz targets, on what the fuzzer has kept and on changes of that.
//! `cargo fuzz run TARGET` in `final` looks for more, guided by what the code does with them.

#[path = "../../fuzz/properties/directory.rs"]
mod directory;
#[path = "../../fuzz/properties/operations.rs"]
mod operations;
#[path = "../../fuzz/properties/records.rs"]
mod records;
#[path = "../../fuzz/properties/requests.rs"]
mod requests;

use super::promise::{Outcome, Run, count, for_each};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use std::fs;
use std::path::Path;

type Property = fn(&[u8]);

/// How many inputs are made with one seed.
const EACH: u64 = 500;

/// In the order of their names, so that a seed leads to the same input.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// One of the inputs with some changes, or a part of it beside a part of another.
fn changed(corpus: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut input = corpus.choose(random).cloned().unwrap_or_default();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=input.len());
        match random.random_range(0..6) {
            0 => input.truncate(at),
            1 => input.insert(at, random.random()),
            2 => {
                let other = corpus.choose(random).cloned().unwrap_or_default();
                let from = random.random_range(0..=other.len());
                input.splice(at.., other[from..].iter().copied());
            }
            3 if at < input.len() => drop(input.remove(at)),
            _ if at < input.len() => input[at] = random.random(),
            _ => input.extend(random.random::<[u8; 12]>()),
        }
    }
    input
}

fn fuzz(target: &str, holds: Property, run: Run) -> Result<u64, String> {
    let corpus = corpus(target);
    corpus.iter().for_each(|input| holds(input));
    let done = for_each(run.seeds(60, 4_000), |seed| {
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..EACH {
            holds(&changed(&corpus, &mut random));
        }
        Ok(EACH)
    })?;
    Ok(done.into_iter().sum::<u64>() + corpus.len() as u64)
}

pub(crate) fn properties_hold(run: Run) -> Outcome {
    let requests: Property = match run.fault {
        "a line that is forgotten when its next piece comes" => requests::hold_although_forgotten,
        _ => requests::hold,
    };
    let records: Property = match run.fault {
        "a record's checksum that always fits" => records::hold_although_mended,
        _ => records::hold,
    };
    let directory: Property = match run.fault {
        "damage with a checksum that fits" => directory::hold_although_mended,
        _ => directory::hold,
    };
    let operations: Property = match run.fault {
        "a disk that lies about its syncs" => operations::hold_on_a_disk_that_lies,
        _ => operations::hold,
    };
    let inputs = run.pick(30_000, 2_000_000);
    Ok(vec![
        count(fuzz("requests", requests, run)?, "inputs of a connection", inputs),
        count(fuzz("records", records, run)?, "records", inputs),
        count(fuzz("directory", directory, run)?, "directories", inputs),
        count(fuzz("operations", operations, run)?, "sequences of operations", inputs),
    ])
}
