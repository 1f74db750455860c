//! The recorded measurements, as a flat map from paths to values.
//!
//! A path is the record's name without `.json`, and then what its samples are told apart by. The
//! value is the median of all samples with the same path, in base units. What is told apart by what,
//! and in which units the file has it, is said here by one function for each record.

use super::quantity::{COUNT, Dimension, Quantity, RATE, SIZE, TIME};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A value of one sample: its path below the record's name, and what it is.
type Measured = (String, Quantity);

type Reader = fn(&Value) -> Vec<Measured>;

/// How the samples of each record are read.
const READERS: &[(&str, Reader)] =
    &[("peers-engine", peers_engine), ("peers-servers", peers_servers)];

/// All values of all records.
pub struct Records(BTreeMap<String, Quantity>);

impl Records {
    /// Reads every record in a directory.
    ///
    /// # Panics
    /// If there is one that nobody here can read.
    pub fn read(dir: &Path) -> Records {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let Some(name) = path.file_name().unwrap().to_str().unwrap().strip_suffix(".json")
            else {
                continue;
            };
            let reader = READERS.iter().find(|(record, _)| *record == name);
            let (_, reader) = reader.unwrap_or_else(|| panic!("no reader for {name}.json"));
            let record: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let mut values: BTreeMap<String, Vec<Quantity>> = BTreeMap::new();
            let samples = record["samples"].as_array().unwrap().iter().flat_map(reader);
            for (path, value) in samples.chain(conditions(&record["conditions"])) {
                values.entry(format!("{name}/{path}")).or_default().push(value);
            }
            all.extend(values.into_iter().map(|(path, values)| (path, median(values))));
        }
        Records(all)
    }

    pub fn of(values: impl IntoIterator<Item = Measured>) -> Records {
        Records(values.into_iter().collect())
    }

    /// # Errors
    /// If there is no such path; names those that come near it.
    pub fn get(&self, path: &str) -> Result<Quantity, String> {
        if let Some(value) = self.0.get(path) {
            return Ok(*value);
        }
        let mut begin = path;
        loop {
            let near: Vec<&str> =
                self.0.keys().filter(|key| key.starts_with(begin)).map(String::as_str).collect();
            if !near.is_empty() {
                let some = near.iter().take(12).copied().collect::<Vec<_>>().join(", ");
                return Err(format!(
                    "no record has `{path}`; there are {} like {some}",
                    near.len()
                ));
            }
            begin = match begin.rfind('/') {
                Some(at) => &begin[..at],
                None => return Err(format!("no record has `{path}`")),
            };
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &Quantity)> {
        self.0.iter()
    }
}

fn median(mut values: Vec<Quantity>) -> Quantity {
    values.sort_by(|a, b| a.value.total_cmp(&b.value));
    let middle = values.len() / 2;
    let (low, high) = (values[(values.len() - 1) / 2], values[middle]);
    Quantity::new((low.value + high.value) / 2.0, high.dimension)
}

/// What was measured on: its numbers.
fn conditions(conditions: &Value) -> Vec<Measured> {
    let fields = conditions.as_object().into_iter().flatten();
    let unit = |name: &str| match name {
        "memory_gib" => (f64::from(1 << 30), SIZE),
        "seconds" => (1.0, TIME),
        _ => (1.0, COUNT),
    };
    let values = fields.filter_map(|(name, value)| {
        let (scale, dimension) = unit(name);
        let value = Quantity::new(value.as_f64()? * scale, dimension);
        Some((format!("conditions/{name}"), value))
    });
    values.collect()
}

/// `work/engine/figure`.
fn peers_engine(sample: &Value) -> Vec<Measured> {
    figures(sample, "engine", |work, figure| match (work, figure) {
        (_, "open") => (1e-3, TIME),
        (_, "lost") => (1.0, COUNT),
        (_, "disk") => (1.0, SIZE),
        (_, figure) if figure.starts_with("private") || figure.starts_with("mapped") => (1.0, SIZE),
        ("latency", _) => (1e-6, TIME),
        _ => (1e3, RATE),
    })
}

/// `work/server/figure`.
fn peers_servers(sample: &Value) -> Vec<Measured> {
    figures(sample, "server", |_, figure| match figure {
        "rate" | "rate, without" => (1e3, RATE),
        "cpu" | "cpu, without" | "p50" | "p99" | "p999" => (1e-6, TIME),
        _ => (1.0, COUNT),
    })
}

/// The samples of the peers have a map of figures each, whose names say what they are.
fn figures(sample: &Value, who: &str, unit: fn(&str, &str) -> (f64, Dimension)) -> Vec<Measured> {
    let (work, who) = (sample["work"].as_str().unwrap(), sample[who].as_str().unwrap());
    let figures = sample["figures"].as_object().unwrap().iter();
    let value = |(figure, value): (&String, &Value)| {
        let (scale, dimension) = unit(work, figure);
        let value = Quantity::new(value.as_f64().unwrap() * scale, dimension);
        (format!("{work}/{who}/{}", segment(figure)), value)
    };
    figures.map(value).collect()
}

/// A name as a part of a path: `5 % set, 4 threads` is `5-set-4-threads`.
fn segment(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

pub mod tests {
    use super::*;

    pub fn values_are_medians_in_base_units() {
        let records = Records::read(&Path::new(crate::ROOT).join("benches/results"));
        let dimension = |path: &str| records.get(path).unwrap().dimension;
        assert_eq!(dimension("peers-engine/load/kvs/open"), TIME);
        assert_eq!(dimension("peers-engine/get16/lmdb/1-threads"), RATE);
        assert_eq!(dimension("peers-servers/get16/redis/p99"), TIME);
        assert_eq!(records.get("peers-servers/conditions/keys").unwrap().value, 1000.0);
        let value = |value| Quantity::new(value, COUNT);
        assert_eq!(median(vec![value(9.0), value(1.0), value(2.0)]).value, 2.0);
        assert_eq!(median(vec![value(9.0), value(1.0), value(2.0), value(4.0)]).value, 3.0);
    }

    pub fn a_planted_path_is_caught_with_those_that_are_near() {
        let records = Records::of([("r/a/x".to_owned(), Quantity::new(1.0, COUNT))]);
        let error = records.get("r/a/y").unwrap_err();
        assert!(error.ends_with("there are 1 like r/a/x"), "{error}");
    }
}
