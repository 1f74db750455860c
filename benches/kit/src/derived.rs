//! What is made from the records: `cargo xtask sync` puts it where it belongs.

use crate::Outcome;
use crate::record::Record;
use crate::{figures, peers, tables};
use std::path::{Path, PathBuf};

/// Where the records are, below the root.
pub const RECORDS: &str = "benches/results";
/// Where the figures are, below the root.
pub const FIGURES: &str = "benches/figures";

/// The file of a record.
pub fn path(root: &Path, record: &str) -> PathBuf {
    root.join(RECORDS).join(record).with_extension("json")
}

/// Makes the tables of a record, in Markdown.
type Maker = fn(&Record) -> String;

/// The records that have tables in the texts.
const TABLES: [(&str, Maker); 5] = [
    ("counts", tables::counts),
    ("queued", tables::queued),
    ("scaling", tables::scaling),
    ("peers-engine", peers::engines),
    ("peers-servers", peers::servers),
];

/// The tables of each record that has some: the record's name, and Markdown.
///
/// # Errors
/// If a record can't be read.
pub fn tables(root: &Path) -> Outcome<Vec<(&'static str, String)>> {
    let made = TABLES.map(|(name, make)| Ok((name, make(&Record::read(&path(root, name))?))));
    made.into_iter().collect()
}

/// All figures: the names of the files in [`FIGURES`], and SVG.
///
/// # Errors
/// If a record can't be read.
pub fn figures(root: &Path) -> Outcome<Vec<(String, String)>> {
    let scaling = Record::read(&path(root, "scaling"))?;
    let mut figures = figures::charts(&scaling)?;
    // The figure that grows has them.
    figures.retain(|(name, _)| !["scaling-read.svg", "scaling-mixed.svg"].contains(&name.as_str()));
    figures.extend(figures::measured(&scaling)?);
    let queued = figures::queued(&Record::read(&path(root, "queued"))?)?;
    figures.push(("queued.svg".to_owned(), queued));
    Ok(figures)
}
