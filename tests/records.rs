//! Are the records of prices and counts of the code that is there? Those with figures are looked at
//! in `figures.rs`.
#![allow(clippy::unwrap_used)]
#![allow(dead_code)] // the benches use more of these files

#[path = "support/code.rs"]
mod code;
#[path = "../benches/support/record.rs"]
mod record;
#[path = "../benches/support/sources.rs"]
mod sources;

use sources::Source;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The sources that a record was taken from.
fn measured(record: &str) -> BTreeMap<String, Source> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(record);
    let record: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    serde_json::from_value(record["conditions"]["sources"].clone()).unwrap()
}

fn assert_is_of_the_code_that_is_there(record: &str, command: &str) {
    let measured = measured(record);
    let changed = sources::changed(&measured).unwrap();
    assert!(
        changed.is_empty(),
        "the code of {changed:?} has changed since it was measured; on a quiet machine,\n\
         rm {record}; {command} -- --full --json {record}\nmeasures again"
    );
}

#[test]
fn the_record_of_the_costs_is_of_the_code_that_is_there() {
    let command = "cargo bench --bench costs";
    assert_is_of_the_code_that_is_there("benches/results/costs.json", command);
}

#[test]
fn the_record_of_the_counts_is_of_the_code_that_is_there() {
    let command = "cargo bench --features all-stages --bench counts";
    assert_is_of_the_code_that_is_there("benches/results/counts.json", command);
    assert_eq!(measured("benches/results/counts.json").len(), 8);
}

#[test]
fn a_planted_change_of_a_stage_is_caught() {
    let mut measured = measured("benches/results/costs.json");
    measured.get_mut("stage-5").unwrap().code = "0".repeat(16);
    assert_eq!(sources::changed(&measured).unwrap(), ["stage-5"]);
}
