//! Tables between `<!-- table NAME -->` and `<!-- /table -->`, and the figures, all from records in
//! `benches/results`.

use crate::problem::Problem;
use crate::text::rewrite;
use crate::tree::Tree;
use kvs_bench_kit::{derived, markdown};
use serde::Deserialize;
use std::collections::BTreeMap;

/// All tables, by their names.
///
/// # Errors
/// If a record can't be read.
pub(crate) fn tables(tree: &Tree) -> Result<BTreeMap<String, String>, Problem> {
    let wrong = |error: &dyn ToString| Problem::new(derived::RECORDS, 1, error.to_string());
    let made = derived::tables(tree.root()).map_err(|error| wrong(&error))?;
    let mut tables: BTreeMap<String, String> =
        made.into_iter().map(|(name, table)| (name.to_owned(), table)).collect();
    if let Ok(promises) = tree.read(PROMISES) {
        let promises = serde_json::from_str(&promises).map_err(|error| wrong(&error))?;
        tables.insert("promises".to_owned(), promise_table(&promises));
    }
    Ok(tables)
}

/// Writes the tables of a text.
pub(crate) fn sync(tree: &mut Tree, file: &str, tables: &BTreeMap<String, String>) -> Vec<Problem> {
    let table = |name: &str| {
        let names = || tables.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
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

/// What was promised, what was tried, and which faults that has noticed.
fn promise_table(run: &Promises) -> String {
    let count = |count: &Count| format!("{} {}", markdown::thousands(count.number), count.of);
    let row = |promise: &Promise| {
        let counts: Vec<String> = promise.counts.iter().map(count).collect();
        let (counts, faults) = (counts.join(", "), promise.faults.join("; "));
        format!("| {} | {counts} | {faults} |\n", promise.promise)
    };
    let head = "| promise | put to the test | injected, and noticed |\n|---|---|---|\n";
    let rows: String = run.promises.iter().map(row).collect();
    let Promises { machine, revision, date, .. } = run;
    let size = if run.deep { "the deep size" } else { "the usual size" };
    let seconds: u64 = run.promises.iter().map(|promise| promise.seconds).sum();
    format!("{head}{rows}\n{machine}, {date}, revision {revision}, {size}: {seconds} s.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_table_is_put_between_its_marks() {
        let root = tempfile::tempdir().unwrap();
        let mut tree = Tree::new(root.path());
        tree.write("t.md", "<!-- table a -->\nold\n<!-- /table -->\nand\n".to_owned());
        let tables = BTreeMap::from([("a".to_owned(), "| new |\n".to_owned())]);
        assert_eq!(sync(&mut tree, "t.md", &tables), []);
        let expected = "<!-- table a -->\n\n| new |\n\n<!-- /table -->\nand\n";
        assert_eq!(tree.read("t.md").unwrap(), expected);

        tree.write("t.md", expected.replace("table a", "table b"));
        let message = "no such table; there are a";
        assert_eq!(sync(&mut tree, "t.md", &tables), [Problem::new("t.md", 1, message)]);
    }

    #[test]
    fn a_promise_is_a_row_with_its_counts_and_its_faults() {
        let record = r#"{ "machine": "2 cores", "revision": "abc", "date": "2026-11-22", "deep": false,
            "promises": [{ "name": "crash", "promise": "Nothing is lost", "seconds": 8, "faults": ["a", "b"],
                "counts": [{ "number": 44212, "of": "images" }, { "number": 2, "of": "disks" }] }] }"#;
        let table = promise_table(&serde_json::from_str(record).unwrap());
        assert!(table.contains("| Nothing is lost | 44,212 images, 2 disks | a; b |"), "{table}");
        assert!(
            table.ends_with("2 cores, 2026-11-22, revision abc, the usual size: 8 s."),
            "{table}"
        );
    }

    #[test]
    fn a_changed_record_changes_a_figure() {
        let root = tempfile::tempdir().unwrap();
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/results/scaling.json");
        let record = std::fs::read_to_string(own).unwrap();
        let figures_of = |record: &str| {
            let path = derived::path(root.path(), "scaling");
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, record).unwrap();
            let mut tree = Tree::new(root.path());
            assert_eq!(figures(&mut tree), []);
            tree.read("benches/figures/scaling-read-rate.svg").unwrap()
        };
        let changed = record.replace("read/stage-7/2", "read/stage-7/3");
        assert_ne!(figures_of(&record), figures_of(&changed));
    }
}
