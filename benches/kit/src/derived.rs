//! What is made from the records: `cargo xtask sync` puts it where it belongs.

use crate::Outcome;
use crate::record::{Record, Rounds, compared};
use crate::tables::{table, with_spread};
use crate::{figures, peers, tables};
use std::fs;
use std::path::{Path, PathBuf};

/// Where the records are, below the root.
const RECORDS: &str = "benches/results";
/// Where the figures are, below the root.
pub const FIGURES: &str = "benches/figures";

/// The file of a record.
pub fn path(root: &Path, record: &str) -> PathBuf {
    root.join(RECORDS).join(record).with_extension("json")
}

/// Makes the tables of a record, in Markdown.
type Maker = fn(&Record) -> String;

/// The records that have tables in the texts, and who makes them.
const TABLES: [(&str, Maker); 3] =
    [("queued", tables::queued), ("peers-engine", peers::engines), ("touched", tables::touched)];

/// The records in which something is wanted of `final`.
const WANTED: [&str; 4] = ["scaling", "peers-engine", "peers-servers", "cluster"];

/// Those of a page that no text shows: the figure that grows has them.
const UNSEEN: [&str; 2] = ["scaling-read.svg", "scaling-mixed.svg"];

/// The tables of the texts: names, and Markdown.
///
/// # Errors
/// If a record can't be read.
pub fn tables(root: &Path) -> Outcome<Vec<(&'static str, String)>> {
    let read = |name: &str| Record::read(&path(root, name));
    let made = TABLES.into_iter().map(|(name, make)| Ok((name, make(&read(name)?))));
    let mut tables = made.collect::<Outcome<Vec<_>>>()?;
    let goals = WANTED.into_iter().map(|name| Ok(goals_of(name, &read(name)?)));
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

/// The files of a page, and of the record that it is of.
const PAGE: [&str; 2] = ["index.html", "scaling.json"];

/// Makes the directory for a page, before anything is measured for it. Returns its whole path.
///
/// # Errors
/// If it can't be made or written to, or has a page or a record already.
pub fn directory(dir: &Path) -> Outcome<PathBuf> {
    let is_usable = || {
        fs::create_dir_all(dir)?;
        tempfile::tempfile_in(dir)?;
        dir.canonicalize()
    };
    let dir = is_usable().map_err(|error| format!("{}: {error}", dir.display()))?;
    match PAGE.into_iter().find(|name| dir.join(name).exists()) {
        Some(name) => Err(format!(
            "{}: it has {name} already, which would be replaced: give another directory",
            dir.display()
        )
        .into()),
        None => Ok(dir),
    }
}

/// Writes a page with all figures and tables of a record of `scaling`, and the record, into a directory.
///
/// # Errors
/// If a file can't be written.
pub fn page(dir: &Path, record: &Record) -> Outcome<()> {
    let [page_name, record_name] = PAGE;
    record.write(&dir.join(record_name))?;
    let svgs: String = figures::charts(record)?.into_iter().map(|(_, svg)| svg).collect();
    let (summary, tables) = (figures::summary(record)?, html(&tables::scaling(record)));
    let columns = tables::SCALING
        .map(|(work, what, threads)| {
            format!("<li><b>{work}</b>: {what}; what is counted: {threads}")
        })
        .concat();
    let page = format!(
        "<!doctype html><meta charset=utf-8><title>Every stage side by side</title>\n\
         <style>body {{font-family: sans-serif; color-scheme: light dark; max-width: 60em}}\n\
         svg {{max-width: 100%; height: auto}} :is(td, th) {{padding: 0 .5em; text-align: right}}\n\
         :is(td, th):first-child {{text-align: left}}\n\
         table {{display: block; overflow-x: auto; margin: 1em 0; font-size: small}}</style>\n\
         <h1>Every stage side by side</h1>\n{summary}{tables}\
         <p>The columns of the tables; a thread that <i>waits</i> leaves the processor until another one wakes it:\
         <ul>{columns}</ul>{svgs}",
    );
    Ok(fs::write(dir.join(page_name), page)?)
}

/// Tables in Markdown, and the lines between them, for a page.
fn html(tables: &str) -> String {
    let row = |cell: &str, line: &str| {
        format!("<tr>{cell}{}", line.trim_matches(['|', ' ']).replace(" | ", cell))
    };
    let block = |block: &str| {
        let Some((head, body)) = block.split_once("\n|---") else {
            return format!("<p>{block}</p>");
        };
        let body: String = body.lines().skip(1).map(|line| row("<td>", line)).collect();
        format!("<table>{}{body}</table>", row("<th>", head))
    };
    tables.split("\n\n").map(block).collect()
}

/// What is wanted of `final`, beside what was measured, as far as it can be told from this record.
///
/// A line of `goals.txt` has a record, what was measured, the figure, and what is wanted: at least (`≥`) or at
/// most (`≤`) so much, or nothing. After the figure come others, whose best in the same round it is divided by.
fn goals_of(name: &str, record: &Record) -> Option<String> {
    let disk = record.conditions.settings.get("disk").and_then(|disk| disk.as_str());
    let disk = disk.map_or(String::new(), |disk| format!("; disk: {disk}"));
    let head = format!("{}{disk}; rounds: {}.", record.source(), record.rounds());
    let rows = rows(include_str!("goals.txt"), name, record);
    Some(format!("{head}\n\n{}", table(&["", "measured", "wanted", ""], rows)?))
}

fn rows(goals: &str, name: &str, record: &Record) -> Vec<Vec<String>> {
    let row = |line: &str| {
        let [of, what, figure, wanted] = line.split('|').map(str::trim).collect::<Vec<_>>()[..]
        else {
            return None;
        };
        let measured = (of == name).then(|| compared(figure, |path| record.measured(path)));
        let rounds = Rounds::new(measured?.ok()?.0.into_iter())?;
        let bound = wanted.split_once(' ').and_then(|(_, bound)| bound.parse::<f64>().ok());
        let is_reached = bound.map_or("", |bound| match wanted.starts_with('≥') {
            true if rounds.median() >= bound => "reached",
            false if rounds.median() <= bound => "reached",
            _ => "not reached",
        });
        let cells = [what, &with_spread(&rounds), wanted, is_reached];
        Some(cells.map(str::to_owned).into())
    };
    goals.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unit;

    #[test]
    fn a_page_has_all_figures_and_tables_of_a_record() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let record = Record::read(&path(&root, "scaling")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        page(&directory(&dir.path().join("new")).unwrap(), &record).unwrap();
        let dir = dir.path().join("new");
        let again = directory(&dir).unwrap_err().to_string();
        assert!(again.contains("it has index.html already"), "{again}");
        let page = fs::read_to_string(dir.join("index.html")).unwrap();
        let [figures, closed] = ["<svg", "</svg>"].map(|tag| page.matches(tag).count());
        assert_eq!([figures, closed], [1 + figures::charts(&record).unwrap().len(); 2]);
        assert!(!page.contains("NaN"));
        let rows = tables::scaling(&record).lines().filter(|line| line.starts_with("| ")).count();
        assert!(rows > 12 && page.matches("<tr>").count() >= rows, "{rows}");
        let again = Record::read(&dir.join("scaling.json")).unwrap();
        assert_eq!(again.rounds(), record.rounds());
    }

    #[test]
    fn a_goal_is_a_ratio_to_the_best_of_the_same_round_and_reached_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = Record::new(dir.path(), []).unwrap().units(Unit::PerSecond, &["rate"]);
        for (of, rate) in [("a", 2.0), ("b", 1.0), ("c", 0.5), ("a", 6.0), ("b", 1.0), ("c", 2.0)] {
            record.add(of.to_owned(), [("rate".to_owned(), rate)].into());
        }
        let goals = "r | x | a/rate / b/rate / c/rate | ≥ 3\nr | y | a/rate | ≤ 4\nr | z | d/rate |\ns | z | a/rate |";
        let rows = rows(goals, "r", &record);
        let rows: Vec<String> = rows.into_iter().map(|row| row.join(", ")).collect();
        assert_eq!(
            rows,
            ["x, 2.50 (2.00–3.00), ≥ 3, not reached", "y, 4.00 (2.00–6.00), ≤ 4, reached"]
        );
    }
}
