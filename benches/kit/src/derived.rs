//! What is made from the records: `cargo xtask sync` puts it where it belongs.

use crate::Outcome;
use crate::record::Record;
use crate::{figures, goals, peers, tables};
use std::fs;
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
const TABLES: [(&str, Maker); 6] = [
    ("counts", tables::counts),
    ("queued", tables::queued),
    ("scaling", tables::scaling),
    ("peers-engine", peers::engines),
    ("peers-servers", peers::servers),
    ("cluster", peers::cluster),
];

/// The tables of each record that has some: the record's name, and Markdown.
///
/// # Errors
/// If a record can't be read.
pub fn tables(root: &Path) -> Outcome<Vec<(&'static str, String)>> {
    let (mut tables, mut goals) = (Vec::new(), String::new());
    for (name, make) in TABLES {
        let record = Record::read(&path(root, name))?;
        tables.push((name, make(&record)));
        goals.extend(goals::table_of(name, &record).map(|table| table + "\n"));
    }
    tables.push(("goals", goals));
    Ok(tables)
}

/// All figures: the names of the files in [`FIGURES`], and SVG.
///
/// # Errors
/// If a record can't be read.
pub fn figures(root: &Path) -> Outcome<Vec<(String, String)>> {
    let read = |name| Record::read(&path(root, name));
    let scaling = read("scaling")?;
    let mut figures = figures::charts(&scaling)?;
    // The figure that grows has them.
    figures.retain(|(name, _)| !["scaling-read.svg", "scaling-mixed.svg"].contains(&name.as_str()));
    figures.extend(figures::measured(&scaling)?);
    figures.push(("queued.svg".to_owned(), figures::queued(&read("queued")?)?));
    figures.extend(peers::figures(&read("peers-engine")?, &read("peers-servers")?)?);
    Ok(figures)
}

/// Writes a page with all figures and tables of a record of `scaling`, and the record, into a directory.
///
/// # Errors
/// If a file can't be written.
pub fn page(dir: &Path, record: &Record) -> Outcome<()> {
    fs::create_dir_all(dir)?;
    record.write(&dir.join("scaling.json"))?;
    let svgs: String = figures::charts(record)?.into_iter().map(|(_, svg)| svg).collect();
    let (summary, tables) = (figures::summary(record)?, tables::scaling(record));
    let page = format!(
        "<!doctype html><meta charset=utf-8><title>Every stage side by side</title>\n\
         <body style='font-family:sans-serif;color-scheme:light dark;max-width:60em'><h1>Every stage side by side</h1>\n\
         {summary}<pre style='white-space:pre-wrap'>{tables}</pre>{svgs}",
    );
    Ok(fs::write(dir.join("index.html"), page)?)
}
