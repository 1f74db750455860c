//! Are the tables in the text those of the records?
#![allow(clippy::unwrap_used)]
#![allow(dead_code)] // the benches use more of these files

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
#[path = "../benches/scaling/stage.rs"]
mod stage;

use record::Outcome;
use std::fs;
use std::path::Path;

const COUNTS: &str = "benches/results/counts.json";
const TEXT: &str = queued::TEXT;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether a text has these tables after their mark.
fn has(text: &str, begin: &str, tables: &str) -> bool {
    text == insert::insert(text, begin, tables).unwrap()
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
