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

/// All values of a record: one for each sample.
type Reader = fn(&Value) -> Vec<Measured>;

/// How each record is read.
const READERS: [(&str, Reader); 7] = [
    ("scaling", |record| samples(record, scaling)),
    ("timeline", timeline),
    ("costs", |record| samples(record, costs)),
    ("counts", |record| samples(record, counts)),
    ("queued", |record| samples(record, queued)),
    ("peers-engine", |record| samples(record, peers_engine)),
    ("peers-servers", |record| samples(record, peers_servers)),
];

/// All values of all records.
pub struct Records(BTreeMap<String, Quantity>);

impl Records {
    /// Reads the records in a directory.
    pub fn read(dir: &Path) -> Records {
        let mut all = BTreeMap::new();
        for (name, reader) in READERS {
            let Ok(text) = fs::read_to_string(dir.join(format!("{name}.json"))) else { continue };
            let record: Value = serde_json::from_str(&text).unwrap();
            let mut values: BTreeMap<String, Vec<Quantity>> = BTreeMap::new();
            for (path, value) in reader(&record).into_iter().chain(conditions(&record)) {
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
fn conditions(record: &Value) -> Vec<Measured> {
    let fields = record["conditions"].as_object().into_iter().flatten();
    let unit = |name: &str| match name {
        "memory_gib" => (f64::from(1 << 30), SIZE),
        "value_bytes" => (1.0, SIZE),
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

fn samples(record: &Value, of_sample: fn(&Value) -> Vec<Measured>) -> Vec<Measured> {
    record["samples"].as_array().unwrap().iter().flat_map(of_sample).collect()
}

/// `work/stage/threads/figure`.
fn scaling(sample: &Value) -> Vec<Measured> {
    let place = place(sample, &["work", "stage", "threads"]);
    figures(&sample["figures"], &place, |figure| match figure {
        "rate" | "sets" => (1e3, RATE),
        "compactions" => (1.0, RATE),
        "p50" | "p99" | "p999" | "longest" | "cpu" => (1e-6, TIME),
        _ => (1.0, COUNT),
    })
}

/// `stage/count`; times are counted in ticks.
fn timeline(record: &Value) -> Vec<Measured> {
    let stages = record["stages"].as_array().unwrap().iter();
    let counts =
        |stage: &Value| figures(&stage["counts"], &place(stage, &["stage"]), |_| (1.0, COUNT));
    stages.flat_map(counts).collect()
}

/// `cost/variant/threads/figure`; the figures stand among what tells the sample.
fn costs(sample: &Value) -> Vec<Measured> {
    let place = place(sample, &["cost", "variant", "threads"]);
    let mut rest = sample.clone();
    rest.as_object_mut().unwrap().retain(|name, _| !["threads", "round"].contains(&name.as_str()));
    figures(&rest, &place, |figure| match figure {
        figure if figure.ends_with("seconds") => (1.0, TIME),
        figure if figure.ends_with("bytes") => (1.0, SIZE),
        _ => (1.0, COUNT),
    })
}

/// `work/stage/tool/event`, an operation; the events stand among what tells the sample.
fn counts(sample: &Value) -> Vec<Measured> {
    let place = place(sample, &["work", "stage", "tool"]);
    let mut rest = sample.clone();
    rest.as_object_mut().unwrap().retain(|name, _| !["threads", "round"].contains(&name.as_str()));
    figures(&rest, &place, |_| (1.0, COUNT))
}

/// `bench/threads/connection/seconds`.
fn queued(sample: &Value) -> Vec<Measured> {
    let place = place(sample, &["bench", "threads", "connection"]);
    figures(&serde_json::json!({ "seconds": sample["seconds"] }), &place, |_| (1.0, TIME))
}

/// `work/engine/figure`.
fn peers_engine(sample: &Value) -> Vec<Measured> {
    let place = place(sample, &["work", "engine"]);
    let unit = |figure: &str| match figure {
        "open" => (1e-3, TIME),
        "lost" => (1.0, COUNT),
        "disk" => (1.0, SIZE),
        figure if figure.ends_with("compactions") => (1.0, COUNT),
        figure if figure.starts_with("private") || figure.starts_with("mapped") => (1.0, SIZE),
        _ if sample["work"] == "latency" => (1e-6, TIME),
        _ => (1e3, RATE),
    };
    figures(&sample["figures"], &place, unit)
}

/// `work/server/figure`.
fn peers_servers(sample: &Value) -> Vec<Measured> {
    let place = place(sample, &["work", "server"]);
    figures(&sample["figures"], &place, |figure| match figure.trim_end_matches(", without") {
        "rate" => (1e3, RATE),
        "cpu" | "p50" | "p99" | "p999" => (1e-6, TIME),
        _ => (1.0, COUNT),
    })
}

/// What a sample is told from the others by, as the beginning of a path.
fn place(sample: &Value, fields: &[&str]) -> String {
    let value = |field: &&str| match &sample[*field] {
        Value::String(name) => segment(name),
        number => number.to_string(),
    };
    fields.iter().map(value).collect::<Vec<_>>().join("/")
}

/// The numbers among some fields, with what one of each is in base units.
fn figures(fields: &Value, place: &str, unit: impl Fn(&str) -> (f64, Dimension)) -> Vec<Measured> {
    let value = |(name, value): (&String, &Value)| {
        let (scale, dimension) = unit(name);
        let value = Quantity::new(value.as_f64()? * scale, dimension);
        Some((format!("{place}/{}", segment(name)), value))
    };
    fields.as_object().into_iter().flatten().filter_map(value).collect()
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

    pub fn each_record_has_its_own_paths_and_units() {
        let record = r#"{
            "conditions": { "cores": 2, "value_bytes": 16, "kernel": "6.18" },
            "stages": [{ "stage": "4", "counts": { "gets_at_once": 1 } }],
            "samples": [{
                "work": "beside-writer", "stage": "stage-6", "threads": 4, "round": 1,
                "engine": "kvs", "server": "redis", "cost": "lock", "variant": "a mutex",
                "tool": "perf", "bench": "read_queued_sled", "connection": "kept",
                "seconds": 0.5, "figures": { "rate": 2.0, "sets": 0.5, "p99": 3.0, "1 threads": 4.0 }
            }]
        }"#;
        let record: Value = serde_json::from_str(record).unwrap();
        let read = |name: &str| {
            let (_, reader) = READERS.iter().find(|(reader, _)| *reader == name).unwrap();
            let values = reader(&record).into_iter();
            values.map(|(path, value)| format!("{path} {}", value.words())).collect::<Vec<_>>()
        };
        let place = "beside-writer/stage-6/4";
        let scaling = [
            format!("{place}/1-threads 4.00"),
            format!("{place}/p99 3.00 µs"),
            format!("{place}/rate 2,000 a second"),
            format!("{place}/sets 500 a second"),
        ];
        assert_eq!(read("scaling"), scaling);
        assert_eq!(read("timeline"), ["4/gets-at-once 1.00"]);
        assert_eq!(read("costs"), ["lock/a-mutex/4/seconds 500 ms"]);
        assert_eq!(read("counts"), ["beside-writer/stage-6/perf/seconds 0.500"]);
        assert_eq!(read("queued"), ["read-queued-sled/4/kept/seconds 500 ms"]);
        assert_eq!(read("peers-engine")[0], "beside-writer/kvs/1-threads 4,000 a second");
        assert_eq!(read("peers-servers")[1], "beside-writer/redis/p99 3.00 µs");
        let conditions: Vec<_> = conditions(&record).into_iter().map(|(path, _)| path).collect();
        assert_eq!(conditions, ["conditions/cores", "conditions/value_bytes"]);
    }

    pub fn a_planted_path_is_caught_with_those_that_are_near() {
        let records = Records::of([("r/a/x".to_owned(), Quantity::new(1.0, COUNT))]);
        let error = records.get("r/a/y").unwrap_err();
        assert!(error.ends_with("there are 1 like r/a/x"), "{error}");
    }
}
