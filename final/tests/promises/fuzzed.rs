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

use super::row::{Outcome, Size, count, over};
use fastrand::Rng;
use std::fs;
use std::path::Path;

type Property = fn(&[u8]);

/// The name of each, and what an input of it is.
const TARGETS: [(&str, &str, Property); 4] = [
    ("requests", "inputs of a connection", requests::hold),
    ("records", "records", records::hold),
    ("directory", "directories", directory::hold),
    ("operations", "sequences of operations", operations::hold),
];
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
fn changed(corpus: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let mut input = random.choice(corpus).cloned().unwrap_or_default();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(0..=input.len());
        match random.u8(0..6) {
            0 => input.truncate(at),
            1 => input.insert(at, random.u8(..)),
            2 => {
                let other = random.choice(corpus).cloned().unwrap_or_default();
                let from = random.usize(0..=other.len());
                input.splice(at.., other[from..].iter().copied());
            }
            3 if at < input.len() => drop(input.remove(at)),
            _ if at < input.len() => input[at] = random.u8(..),
            _ => input.extend(std::iter::repeat_with(|| random.u8(..)).take(12)),
        }
    }
    input
}

fn fuzz(target: &str, holds: Property, size: Size) -> Result<u64, super::row::Stop> {
    let corpus = corpus(target);
    corpus.iter().for_each(|input| holds(input));
    let seeds = size.seed..size.seed + size.pick(60, 4_000);
    let done = over(seeds, |seed| {
        let mut random = Rng::with_seed(seed);
        for _ in 0..EACH {
            holds(&changed(&corpus, &mut random));
        }
        Ok(EACH)
    })?;
    Ok(done.into_iter().sum::<u64>() + corpus.len() as u64)
}

pub(crate) fn all(size: Size) -> Outcome {
    let each = TARGETS.iter().map(|(target, inputs, holds)| {
        Ok(count(fuzz(target, *holds, size)?, *inputs, size.pick(30_000, 2_000_000)))
    });
    each.collect()
}

pub(crate) fn although_forgotten(size: Size) -> Outcome {
    fuzz("requests", requests::hold_although_forgotten, size).map(|_| Vec::new())
}

pub(crate) fn although_the_record_is_mended(size: Size) -> Outcome {
    fuzz("records", records::hold_although_mended, size).map(|_| Vec::new())
}

pub(crate) fn on_a_disk_that_lies(size: Size) -> Outcome {
    fuzz("operations", operations::hold_on_a_disk_that_lies, size).map(|_| Vec::new())
}

pub(crate) fn although_mended(size: Size) -> Outcome {
    fuzz("directory", directory::hold_although_mended, size).map(|_| Vec::new())
}
