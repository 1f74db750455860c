//! What was measured, by path: `costs/lock/mutex/1/seconds`.
//!
//! A path is the name of a record in `benches/results`, then what its samples are told apart by, in any
//! order, then the figure. Of each sample these are its words and its number of threads; what a path
//! leaves out, all samples that it picks must have in common. The samples of one measurement are its
//! rounds.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What a figure is a number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Seconds,
    Bytes,
    /// Operations in a second, ratios, parts of a whole, things.
    Count,
}

/// A figure in base units, in each round.
#[derive(Debug, PartialEq)]
pub(crate) struct Rounds {
    pub(crate) kind: Kind,
    pub(crate) values: Vec<f64>,
}

impl Rounds {
    pub(crate) fn median(&self) -> f64 {
        let mut values = self.values.clone();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        f64::midpoint(values[(values.len() - 1) / 2], values[middle])
    }

    /// The least and the most.
    pub(crate) fn range(&self) -> (f64, f64) {
        let (least, most) = (f64::INFINITY, f64::NEG_INFINITY);
        self.values.iter().fold((least, most), |(low, high), v| (v.min(low), v.max(high)))
    }

    /// How many times `other` this is, round by round.
    ///
    /// # Errors
    /// If the two are not alike.
    pub(crate) fn divided_by(&self, other: &Rounds) -> Result<Rounds, String> {
        if self.kind != other.kind || self.values.len() != other.values.len() {
            return Err("the two figures differ in kind, or in their number of rounds".to_owned());
        }
        let pairs = self.values.iter().zip(&other.values);
        Ok(Rounds { kind: Kind::Count, values: pairs.map(|(a, b)| a / b).collect() })
    }
}

/// The figure that `path`, without the record's name, picks from a record.
///
/// # Errors
/// If it picks none, or several.
pub(crate) fn pick(record: &Value, path: &str) -> Result<Rounds, String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    let figure = parts.pop().unwrap_or_default();
    let samples = record["samples"].as_array().ok_or("the record has no samples")?;
    let samples: Vec<&Map<String, Value>> = samples.iter().filter_map(Value::as_object).collect();
    let all: BTreeSet<String> = samples.iter().flat_map(|sample| keys(sample)).collect();
    if let Some(unknown) = parts.iter().find(|part| !all.contains(**part)) {
        let all: Vec<String> = all.into_iter().collect();
        return Err(format!("no sample is of `{unknown}`; there are {}", all.join(", ")));
    }
    let fits = |sample: &&&Map<String, Value>| {
        let keys = keys(sample);
        parts.iter().all(|part| keys.iter().any(|key| key == part))
    };
    let picked: Vec<_> = samples.iter().filter(fits).collect();
    let different: BTreeSet<String> = picked.iter().map(|sample| keys(sample).join("/")).collect();
    if different.len() != 1 {
        let different: Vec<String> = different.into_iter().collect();
        return Err(format!("it picks {}: {}", different.len(), different.join(", ")));
    }
    let (scale, kind) = unit(figure);
    let value = |sample: &&&Map<String, Value>| {
        let figures = sample.get("figures").and_then(Value::as_object).unwrap_or(sample);
        let (_, value) = figures.iter().find(|(name, _)| dashed(name) == figure)?;
        Some(value.as_f64()? * scale)
    };
    let values: Vec<f64> = picked.iter().filter_map(value).collect();
    if values.is_empty() {
        return Err(format!("there is no figure `{figure}`"));
    }
    Ok(Rounds { kind, values })
}

/// What a sample is told from others by.
fn keys(sample: &Map<String, Value>) -> Vec<String> {
    let key = |(name, value): (&String, &Value)| match value {
        Value::String(word) => Some(dashed(word)),
        Value::Number(number) if name == "threads" => Some(number.to_string()),
        _ => None,
    };
    sample.iter().filter_map(key).collect()
}

/// A name as a part of a path: `5 % set, 4 threads` is `5-set-4-threads`.
fn dashed(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// What a figure of this name counts, and how much of the base unit one of it is.
fn unit(figure: &str) -> (f64, Kind) {
    match figure {
        "p50" | "p99" | "p999" | "longest" | "cpu" => (1e-6, Kind::Seconds),
        "open" => (1e-3, Kind::Seconds),
        "rate" | "sets" | "load" => (1e3, Kind::Count),
        name if name.ends_with("threads") => (1e3, Kind::Count),
        name if name.ends_with("seconds") => (1.0, Kind::Seconds),
        name if name.ends_with("bytes") => (1.0, Kind::Bytes),
        name if name.starts_with("private") || name.starts_with("mapped") => (1.0, Kind::Bytes),
        _ => (1.0, Kind::Count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Value {
        let sample = |lock: &str, threads: u32, seconds: f64| {
            serde_json::json!({ "cost": "lock", "variant": lock, "threads": threads, "round": 1,
                "seconds": seconds, "figures": null })
        };
        serde_json::json!({ "samples": [
            sample("a mutex", 1, 4.0), sample("none", 1, 2.0), sample("none", 2, 7.0),
            sample("a mutex", 1, 9.0), sample("none", 1, 3.0), sample("none", 2, 7.0),
        ]})
    }

    #[test]
    fn a_path_picks_the_rounds_of_one_figure() {
        let mutex = pick(&record(), "lock/a-mutex/1/seconds").unwrap();
        assert_eq!((mutex.kind, &mutex.values), (Kind::Seconds, &vec![4.0, 9.0]));
        assert_eq!((mutex.median(), mutex.range()), (6.5, (4.0, 9.0)));
        assert_eq!(pick(&record(), "a-mutex/seconds").unwrap(), mutex);
        let none = pick(&record(), "1/none/seconds").unwrap();
        let ratio = mutex.divided_by(&none).unwrap();
        assert_eq!((ratio.kind, ratio.values), (Kind::Count, vec![2.0, 3.0]));

        let nested = serde_json::json!({ "samples": [{ "work": "load", "figures": {
            "private, opened": 120.0, "p50": 3.0, "2 threads": 0.5 }}]});
        let value = |figure: &str| pick(&nested, &format!("load/{figure}")).unwrap();
        assert_eq!(value("private-opened"), Rounds { kind: Kind::Bytes, values: vec![120.0] });
        assert_eq!(value("p50"), Rounds { kind: Kind::Seconds, values: vec![3.0 * 1e-6] });
        assert_eq!(value("2-threads"), Rounds { kind: Kind::Count, values: vec![500.0] });
    }

    #[test]
    fn a_path_to_nothing_or_to_several_is_noticed() {
        for (path, words) in [
            ("lock/rwlock/1/seconds", "no sample is of `rwlock`; there are 1, 2, a-mutex, lock"),
            ("lock/none/seconds", "it picks 2: lock/1/none, lock/2/none"),
            ("lock/a-mutex/2/seconds", "it picks 0: "),
            ("lock/a-mutex/1/bytes", "there is no figure `bytes`"),
        ] {
            let error = pick(&record(), path).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
        let seconds = pick(&record(), "a-mutex/seconds").unwrap();
        let bytes = Rounds { kind: Kind::Bytes, values: vec![1.0, 1.0] };
        assert!(seconds.divided_by(&bytes).is_err());
    }
}
