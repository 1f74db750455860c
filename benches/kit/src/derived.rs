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

/// The records that have tables in the texts, and who makes them.
const TABLES: [(&str, Maker); 2] = [("queued", tables::queued), ("peers-engine", peers::engines)];

/// The records in which something is wanted of `final`.
const WANTED: [&str; 4] = ["scaling", "peers-engine", "peers-servers", "cluster"];

/// Those of a page that no text shows: the figure that grows has the first two.
const UNSEEN: [&str; 3] = ["scaling-read.svg", "scaling-mixed.svg", "scaling-server-p99.svg"];

/// The tables of the texts: names, and Markdown.
///
/// # Errors
/// If a record can't be read.
pub fn tables(root: &Path) -> Outcome<Vec<(&'static str, String)>> {
    let read = |name: &str| Record::read(&path(root, name));
    let made = TABLES.into_iter().map(|(name, make)| Ok((name, make(&read(name)?))));
    let mut tables = made.collect::<Outcome<Vec<_>>>()?;
    let goals = WANTED.into_iter().map(|name| Ok(goals::table_of(name, &read(name)?)));
    let goals = goals.collect::<Outcome<Vec<_>>>()?;
    tables.push(("goals", goals.into_iter().flatten().collect::<Vec<_>>().join("\n")));
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
    figures.retain(|(name, _)| !UNSEEN.contains(&name.as_str()));
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
    let tables = html(&tables);
    let page = format!(
        "<!doctype html><meta charset=utf-8><title>Every stage side by side</title>\n\
         <style>body {{font-family: sans-serif; color-scheme: light dark; max-width: 60em}}\n\
         svg {{max-width: 100%; height: auto}} td {{padding: 0 .5em; text-align: right}} td:first-child {{text-align: left}}\n\
         table {{display: block; overflow-x: auto; margin: 1em 0; font-size: small}}</style>\n\
         <h1>Every stage side by side</h1>\n{summary}{tables}{svgs}",
    );
    Ok(fs::write(dir.join("index.html"), page)?)
}

/// Tables in Markdown, and the lines between them, for a page.
fn html(tables: &str) -> String {
    let row =
        |line: &str| "<tr><td>".to_owned() + &line.trim_matches(['|', ' ']).replace(" | ", "<td>");
    let block = |block: &str| {
        let rows = block.lines().filter(|line| !line.starts_with("|---")).map(row);
        let is_table = block.starts_with('|');
        if is_table {
            format!("<table>{}</table>", rows.collect::<String>())
        } else {
            format!("<p>{block}</p>")
        }
    };
    tables.split("\n\n").map(block).collect()
}
