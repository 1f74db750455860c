//! Tables between `<!-- table NAME -->` and `<!-- /table -->`, and the figures, all from records in
//! `benches/results`.

use crate::text::rewrite;
use crate::tree::{Problem, Tree};
use kvs_bench_kit::tables::thousands;
use kvs_bench_kit::{Outcome, derived};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// All tables, by their names.
///
/// # Errors
/// If a record can't be read.
pub(crate) fn tables(root: &Path) -> Outcome<BTreeMap<&'static str, String>> {
    let read = |file| fs::read_to_string(root.join(file)).map_err(|e| format!("{file}: {e}"));
    let promises = serde_json::from_str(&read(PROMISES)?)?;
    let mut tables: BTreeMap<_, _> = derived::tables(root)?.into_iter().collect();
    tables.insert("promises", promise_table(&promises));
    tables.insert("promises-in-short", short_table(&promises)?);
    tables.insert("matrix", read(MATRIX)?);
    Ok(tables)
}

/// Writes the tables of a text.
pub(crate) fn sync(tree: &mut Tree, file: &str, tables: &BTreeMap<&str, String>) -> Vec<Problem> {
    let table = |name: &str| {
        let names = || tables.keys().copied().collect::<Vec<_>>().join(", ");
        let table = tables.get(name).ok_or_else(|| format!("no such table; there are {}", names()));
        Ok(format!("\n{}\n\n", table?.trim()))
    };
    tree.rewrite(file, |_, text| rewrite(file, text, "table", table))
}

/// Writes the figures.
pub(crate) fn figures(tree: &mut Tree) -> Vec<Problem> {
    match derived::figures(tree.root()) {
        Ok(figures) => {
            for (name, svg) in figures {
                tree.write(&format!("{}/{name}", derived::FIGURES), svg);
            }
            Vec::new()
        }
        Err(error) => vec![Problem::new(derived::FIGURES, 1, error.to_string())],
    }
}

const PROMISES: &str = "benches/results/promises.json";
/// What each stage can do, as the tests expect it.
const MATRIX: &str = "tests/matrix/table.md";

/// A run in which all promises were kept.
#[derive(Deserialize)]
struct Promises {
    machine: String,
    revision: String,
    date: String,
    deep: bool,
    promises: Vec<Promise>,
}

#[derive(Deserialize)]
struct Promise {
    name: String,
    promise: String,
    counts: Vec<Count>,
    faults: Vec<String>,
    seconds: u64,
}

#[derive(Deserialize)]
struct Count {
    number: u64,
    of: String,
}

/// The promises that a user asks for first, in short, each with the name of the test that shows it.
const SHORT: [(&str, &str); 12] = [
    ("power-loss", "A power loss takes nothing that was acknowledged at level `always`"),
    ("kill-at-every-call", "`kill -9` takes nothing that was acknowledged, whenever it comes"),
    ("sigterm", "After SIGTERM every answer is whole, and the exit code is 0"),
    ("faults", "A disk error is an error to the client, and nothing worse"),
    ("full-disk", "A full disk refuses writes in words; reads go on"),
    ("damage", "Damaged data is refused, with file and offset, and never answered"),
    ("backup", "A copy of a store in use is a whole store, or is refused"),
    (
        "linearizable-in-process",
        "An operation on a key happens at one moment, also during compaction",
    ),
    ("one-owner", "A directory has one owner: a second server is refused"),
    ("clients", "A client that sends nonsense, too much or too slowly hurts no other"),
    ("crowd", "An idle client costs no thread, and little memory"),
    ("soak", "Under load without rest, memory, descriptors and threads don't grow"),
];

/// The first counts of each.
fn short_table(run: &Promises) -> Result<String, String> {
    let row = |(name, words): (&str, &str)| {
        let named = run.promises.iter().find(|promise| promise.name == name);
        let named = named.ok_or_else(|| format!("no promise is called `{name}`"))?;
        Ok(format!("| {words} | {} |\n", counts(&named.counts[..named.counts.len().min(2)])))
    };
    let rows = SHORT.into_iter().map(row).collect::<Result<String, String>>()?;
    Ok(format!("| promise | put to the test |\n|---|---|\n{rows}"))
}

fn counts(counts: &[Count]) -> String {
    let count = |count: &Count| format!("{} {}", thousands(count.number), count.of);
    counts.iter().map(count).collect::<Vec<_>>().join(", ")
}

/// What was promised, what was tried, and which faults that has noticed.
fn promise_table(run: &Promises) -> String {
    let row = |promise: &Promise| {
        let (tried, faults) = (counts(&promise.counts), promise.faults.join("; "));
        let Promise { name, promise, .. } = promise;
        format!("| {promise} (`{name}`) | {tried} | {faults} |\n")
    };
    let head = "| promise | put to the test | injected, and noticed |\n|---|---|---|\n";
    let rows: String = run.promises.iter().map(row).collect();
    let Promises { machine, revision, date, .. } = run;
    let size = if run.deep { "the deep size" } else { "the usual size" };
    let seconds: u64 = run.promises.iter().map(|promise| promise.seconds).sum();
    format!("{head}{rows}\n{machine}, {date}, revision {revision}, {size}: {seconds} s.")
}
