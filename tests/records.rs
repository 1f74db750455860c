//! Are the tables in the text those of the records?
#![allow(clippy::unwrap_used)]

use kvs_bench_kit::derived;
use std::fs;
use std::path::Path;

#[test]
fn the_tables_in_the_text_are_those_of_the_records() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("benches/README.md")).unwrap();
    for (name, tables) in derived::tables(root).unwrap() {
        let mark = format!("<!-- tables of {name}: made from the record, changed by nobody -->");
        let (_, rest) = text.split_once(&mark).unwrap();
        let (kept, _) = rest.split_once("<!-- end of tables -->").unwrap();
        assert_eq!(kept.trim(), tables.trim(), "those of {name} are not those of its record");
    }
}
