//! Are the records of prices, of counts and of the challenge's six of the code that is there, and the
//! tables in the text those of the records? Those with figures are looked at in `figures.rs`.
#![allow(clippy::unwrap_used)]
#![allow(dead_code)] // the benches use more of these files

#[path = "support/code.rs"]
mod code;
#[path = "../benches/counts/table.rs"]
mod counts;
#[path = "../benches/support/insert.rs"]
mod insert;
#[path = "../benches/queued/table.rs"]
mod queued;
#[path = "../benches/support/record.rs"]
mod record;
#[path = "../benches/counts/sample.rs"]
mod sample;
#[path = "../benches/support/samples.rs"]
mod samples;
#[path = "../benches/support/sources.rs"]
mod sources;
#[path = "../benches/scaling/stage.rs"]
mod stage;

use record::Outcome;
use sources::Source;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const COUNTS: &str = "benches/results/counts.json";
const TEXT: &str = queued::TEXT;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sources that a record was taken from.
fn measured(record: &str) -> BTreeMap<String, Source> {
    let record: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(root().join(record)).unwrap()).unwrap();
    serde_json::from_value(record["conditions"]["sources"].clone()).unwrap()
}

/// `command` puts into the record what it measures.
fn assert_is_of_the_code_that_is_there(record: &str, command: &str) {
    let measured = measured(record);
    let changed = sources::changed(&measured).unwrap();
    assert!(
        changed.is_empty(),
        "the code of {changed:?} has changed since it was measured; on a quiet machine,\n\
         rm {record}; {command}\nmeasures again"
    );
}

/// Whether a text has these tables after their mark.
fn has(text: &str, begin: &str, tables: &str) -> bool {
    text == insert::insert(text, begin, tables).unwrap()
}

#[test]
fn the_record_of_the_costs_is_of_the_code_that_is_there() {
    let command = "cargo bench --bench costs -- --full --json benches/results/costs.json";
    assert_is_of_the_code_that_is_there("benches/results/costs.json", command);
}

#[test]
fn the_record_of_the_counts_is_of_the_code_that_is_there() {
    let command = "cargo bench --features all-stages --bench counts -- --full --json";
    assert_is_of_the_code_that_is_there(COUNTS, &format!("{command} {COUNTS}"));
    assert_eq!(measured(COUNTS).len(), 8);
}

#[test]
fn the_record_of_the_six_is_of_the_code_that_is_there() {
    let command = "KVS_QUEUED=keep cargo bench --bench queued -- --quick";
    assert_is_of_the_code_that_is_there(queued::RECORD, command);
    assert_eq!(measured(queued::RECORD).into_keys().collect::<Vec<_>>(), ["final"]);
}

/// The sum over the code whose promises were put to the test.
fn promised(record: &str) -> String {
    let record: serde_json::Value = serde_json::from_str(record).unwrap();
    record["code"].as_str().unwrap().to_owned()
}

#[test]
fn the_record_of_the_promises_is_of_the_code_that_is_there() {
    let record = fs::read_to_string(root().join("final/tests/promises/record.json")).unwrap();
    let code = sources::sums::of_the_promises(&root().join("final/src")).unwrap();
    // A planted change: what if the record were of other code?
    assert_ne!(promised(&record.replace(&promised(&record), "0123456789abcdef")), code);
    assert_eq!(
        promised(&record),
        code,
        "the code in final/src has changed since its promises were put to the test (comments and\n\
         unit tests do not count); with root, loop devices, strace and xfs_io, some minutes of\n\
         cargo test --release -p final --test promises -- --record\n\
         do it again, and write the record and the table in README.md"
    );
}

#[test]
fn the_tables_of_the_counts_are_those_of_their_record() {
    let mut record = sample::Record::read(&root().join(COUNTS)).unwrap();
    let text = fs::read_to_string(root().join(TEXT)).unwrap();
    assert!(
        has(&text, counts::BEGIN, &counts::tables(&record)),
        "the tables in {} are not those of the record; put them there again:\n\
         cargo bench --features all-stages --bench counts -- --tables {COUNTS} {}",
        TEXT,
        TEXT,
    );
    // A planted count: what if a get had asked for one system call more, in one round?
    *record.samples[0].counts.get_mut("calls").unwrap() += 1.0;
    assert!(!has(&text, counts::BEGIN, &counts::tables(&record)));
}

#[test]
fn the_table_of_the_six_is_that_of_its_record() {
    let mut record = queued::Record::read(&root().join(queued::RECORD)).unwrap();
    let text = fs::read_to_string(root().join(TEXT)).unwrap();
    assert!(
        has(&text, queued::BEGIN, &queued::table(&record)),
        "the table in {} is not that of {}: the command above it makes both",
        TEXT,
        queued::RECORD,
    );
    // A planted time, also of the bench that does nothing.
    for planted in [0, record.samples.len() - 1] {
        record.samples[planted].seconds *= 2.0;
        assert!(!has(&text, queued::BEGIN, &queued::table(&record)));
        record.samples[planted].seconds /= 2.0;
    }
}

#[test]
fn a_planted_change_of_a_stage_is_caught() {
    let mut measured = measured("benches/results/costs.json");
    measured.get_mut("stage-5").unwrap().code = "0".repeat(16);
    assert_eq!(sources::changed(&measured).unwrap(), ["stage-5"]);
}
