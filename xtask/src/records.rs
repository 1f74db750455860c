//! What was measured, by path: `costs/lock/mutex/1/seconds`.
//!
//! A path is the name of a record in `benches/results`, then what its samples are told apart by, in any
//! order, then the figure. What a path leaves out, all samples that it picks must have in common. The samples of one measurement are its
//! rounds.

use kvs_bench_kit::record::{Record, Sample, Unit};
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
pub(crate) fn pick(record: &Record, path: &str) -> Result<Rounds, String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    let figure = parts.pop().unwrap_or_default();
    let all: BTreeSet<&str> = record.samples.iter().flat_map(|s| s.of.split('/')).collect();
    if let Some(unknown) = parts.iter().find(|part| !all.contains(**part)) {
        let all: Vec<&str> = all.into_iter().collect();
        return Err(format!("no sample is of `{unknown}`; there are {}", all.join(", ")));
    }
    let fits = |sample: &&Sample| parts.iter().all(|part| sample.of.split('/').any(|k| k == *part));
    let picked: Vec<&Sample> = record.samples.iter().filter(fits).collect();
    let different: BTreeSet<&str> = picked.iter().map(|sample| sample.of.as_str()).collect();
    if different.len() != 1 {
        let different: Vec<&str> = different.into_iter().collect();
        return Err(format!("it picks {}: {}", different.len(), different.join(", ")));
    }
    let values: Vec<f64> =
        picked.iter().filter_map(|sample| sample.figures.get(figure).copied()).collect();
    if values.is_empty() {
        return Err(format!("there is no figure `{figure}`"));
    }
    let kind = match record.units.get(figure) {
        Some(Unit::Second) => Kind::Seconds,
        Some(Unit::Byte) => Kind::Bytes,
        Some(Unit::PerSecond | Unit::One) | None => Kind::Count,
    };
    Ok(Rounds { kind, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let sample =
            |of: &str, seconds: f64| serde_json::json!({ "of": of, "seconds": seconds, "n": 5 });
        let record = serde_json::json!({
            "conditions": { "cpu": "C", "cores": 2, "memory_gib": 3, "kernel": "6", "file_system": "ext4",
                "revision": "abc" },
            "date": "2026-01-02",
            "units": { "seconds": "s" },
            "samples": [
                sample("lock/a-mutex/1", 4.0), sample("lock/none/1", 2.0), sample("lock/none/2", 7.0),
                sample("lock/a-mutex/1", 9.0), sample("lock/none/1", 3.0), sample("lock/none/2", 7.0),
            ]
        });
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn a_path_picks_the_rounds_of_one_figure() {
        let mutex = pick(&record(), "lock/a-mutex/1/seconds").unwrap();
        assert_eq!((mutex.kind, &mutex.values), (Kind::Seconds, &vec![4.0, 9.0]));
        assert_eq!((mutex.median(), mutex.range()), (6.5, (4.0, 9.0)));
        assert_eq!(pick(&record(), "a-mutex/seconds").unwrap(), mutex);
        assert_eq!(pick(&record(), "a-mutex/n").unwrap().kind, Kind::Count);
        let none = pick(&record(), "1/none/seconds").unwrap();
        let ratio = mutex.divided_by(&none).unwrap();
        assert_eq!((ratio.kind, ratio.values), (Kind::Count, vec![2.0, 3.0]));
    }

    #[test]
    fn a_path_to_nothing_or_to_several_is_noticed() {
        for (path, words) in [
            ("lock/rwlock/1/seconds", "no sample is of `rwlock`; there are 1, 2, a-mutex, lock"),
            ("lock/none/seconds", "it picks 2: lock/none/1, lock/none/2"),
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
