//! What was measured, on what, as a file: every sample, so that tables and figures can be made again.
//!
//! All records have the same shape. A sample says what it is `of`, and has its figures beside that, in
//! base units: seconds, bytes, per second, or a plain number. So a number of a record has a path, as
//! `scaling/read/stage-5/2/rate`: the record, what the sample is of, and the figure. A sample that is
//! of the same as an earlier one is another round.
//!
//! ```json
//! {
//!   "conditions": { "cpu": "…", "cores": 2, "revision": "8224fe5f45f5", "seconds": 0.25 },
//!   "date": "2026-11-23",
//!   "units": { "p99": "s", "rate": "1/s" },
//!   "samples": [
//!     {"of":"read/stage-5/2","p99":0.00002923,"rate":634400.0,"waits":0.08084}
//!   ]
//! }
//! ```

use crate::Outcome;
use procfs::{CpuInfo, Current, Meminfo};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The figures of one sample, by their names.
pub type Figures = BTreeMap<String, f64>;

/// A figure as each round has it, in base units.
pub type Measured = (Vec<f64>, Unit);

/// All samples that were taken under the same conditions.
#[derive(Serialize, Deserialize)]
pub struct Record {
    /// What has to be the same for all samples.
    pub conditions: Conditions,
    /// The day of the first sample, in UTC.
    pub date: String,
    /// Of those figures that are no plain numbers.
    pub units: BTreeMap<String, Unit>,
    /// In the order in which they were taken.
    pub samples: Vec<Sample>,
}

/// What has to be the same for all samples of one record.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// What was measured on.
    #[serde(flatten)]
    pub machine: Machine,
    /// The commit that was measured; with a `+` if something was not committed.
    pub revision: String,
    /// What the bench was told, or has to say.
    #[serde(flatten)]
    pub settings: BTreeMap<String, Value>,
}

impl Conditions {
    /// A setting that is a number.
    pub fn number(&self, name: &str) -> f64 {
        self.settings.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN)
    }
}

/// What one measurement found.
#[derive(Serialize, Deserialize)]
pub struct Sample {
    /// What was measured: names with `/` between, from the general to the special.
    pub of: String,
    /// What was found.
    #[serde(flatten)]
    pub figures: Figures,
}

/// The unit of a figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// A plain number: how often, or which part.
    #[default]
    #[serde(rename = "1")]
    One,
    /// A time.
    #[serde(rename = "s")]
    Second,
    /// A rate.
    #[serde(rename = "1/s")]
    PerSecond,
    /// A size.
    #[serde(rename = "B")]
    Byte,
}

impl Record {
    /// One without samples, of today; with the file system of the directory that the stores are in.
    ///
    /// # Errors
    /// If the machine doesn't say what it is, or there is no git.
    pub fn new<const N: usize>(stores: &Path, settings: [(&str, Value); N]) -> Outcome<Record> {
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).into();
        let (machine, revision) = (Machine::here(stores)?, revision()?);
        Ok(Record {
            conditions: Conditions { machine, revision, settings },
            date: output("date", &["-u", "+%Y-%m-%d"])?,
            units: BTreeMap::new(),
            samples: Vec::new(),
        })
    }

    /// With these units.
    pub fn units(mut self, unit: Unit, figures: &[&str]) -> Record {
        self.units.extend(figures.iter().map(|figure| ((*figure).to_owned(), unit)));
        self
    }

    /// What a file has.
    ///
    /// # Errors
    /// If it is not there, or no record.
    pub fn read(path: &Path) -> Outcome<Record> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()).into())
    }

    /// With the samples that a file has already, if it is there.
    ///
    /// # Errors
    /// If those were taken under other conditions.
    pub fn continued(self, path: &Path) -> Outcome<Record> {
        if !path.exists() {
            return Ok(self);
        }
        let record = Record::read(path)?;
        if record.conditions != self.conditions {
            let path = path.display();
            let what = "was taken on another machine or revision, or with other settings";
            return Err(format!("{path} {what}; remove it, or name another file").into());
        }
        Ok(record)
    }

    /// Adds a sample. Its figures keep four digits: more would be noise, and a longer record.
    pub fn add(&mut self, of: String, mut figures: Figures) {
        let rounded = |figure: f64| format!("{figure:.3e}").parse().unwrap_or(figure);
        figures.values_mut().for_each(|figure| *figure = rounded(*figure));
        self.samples.push(Sample { of, figures });
    }

    /// Puts it into a file, a sample a line.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write(&self, path: &Path) -> Outcome<()> {
        let pretty = |value| {
            Ok::<_, serde_json::Error>(serde_json::to_string_pretty(&value)?.replace('\n', "\n  "))
        };
        let conditions = pretty(serde_json::to_value(&self.conditions)?)?;
        let (date, units) = (&self.date, pretty(serde_json::to_value(&self.units)?)?);
        let samples: Result<Vec<_>, _> = self.samples.iter().map(serde_json::to_string).collect();
        let samples = samples?.join(",\n    ");
        let text = format!(
            "{{\n  \"conditions\": {conditions},\n  \"date\": \"{date}\",\n  \"units\": {units},\n  \
             \"samples\": [\n    {samples}\n  ]\n}}\n"
        );
        fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()).into())
    }

    /// What `read/stage-5/2/rate` names: what samples are of, and the figure. Every round's, in the order in
    /// which they were taken.
    ///
    /// # Errors
    /// If there is none.
    pub fn measured(&self, path: &str) -> Result<Measured, String> {
        let (of, figure) = path.rsplit_once('/').ok_or("a path ends with a figure")?;
        let samples = self.samples.iter().filter(|sample| sample.of == of);
        let values: Vec<f64> = samples.filter_map(|s| s.figures.get(figure).copied()).collect();
        if values.is_empty() {
            return Err(format!("nothing has the figure `{figure}` of `{of}`"));
        }
        Ok((values, self.units.get(figure).copied().unwrap_or_default()))
    }

    /// A figure in every round, if it was measured.
    pub fn rounds_of(&self, of: &str, figure: &str) -> Option<Rounds> {
        let samples = self.samples.iter().filter(|sample| sample.of == of);
        Rounds::new(samples.filter_map(|sample| sample.figures.get(figure).copied()))
    }

    /// The same as it is shown: rates in thousands, what takes long in milliseconds, all other times in
    /// microseconds.
    pub fn shown(&self, of: &str, figure: &str) -> Option<Rounds> {
        let scale = match self.units.get(figure) {
            Some(Unit::PerSecond) => 1e-3,
            Some(Unit::Second) if ["open", "seconds"].contains(&figure) => 1e3,
            Some(Unit::Second) => 1e6,
            _ => 1.0,
        };
        Some(self.rounds_of(of, figure)?.scaled(scale))
    }

    /// How often all was measured.
    pub fn rounds(&self) -> usize {
        let times = |of| self.samples.iter().filter(|sample| sample.of == of).count();
        self.samples.first().map_or(0, |first| times(first.of.as_str()))
    }

    /// Machine, date and revision in one line, for a text.
    pub fn source(&self) -> String {
        let Machine { cpu, cores, memory_gib, kernel, file_system } = &self.conditions.machine;
        let (date, revision) = (&self.date, &self.conditions.revision);
        format!(
            "{cpu}, {cores} cores, {memory_gib} GiB; Linux {kernel}, {file_system}; {date}, revision \
             {revision}"
        )
    }
}

/// What `pick` finds by a path; or, of paths with ` / ` between, how many times the best of the others the first one
/// is, round by round.
///
/// # Errors
/// If one isn't found, or they can't be compared.
pub fn compared(
    source: &str,
    pick: impl FnMut(&str) -> Result<Measured, String>,
) -> Result<Measured, String> {
    let mut others = source.split(" / ").map(pick).collect::<Result<Vec<_>, _>>()?;
    let (values, unit) = others.remove(0);
    if others.iter().any(|(other, of)| *of != unit || other.len() != values.len()) {
        return Err("they have different units or numbers of rounds".to_owned());
    }
    let best = if unit == Unit::PerSecond { f64::max } else { f64::min };
    let ratio = |(round, value): (usize, &f64)| {
        let others = others.iter().map(|(other, _)| other[round]);
        others.reduce(best).map_or(*value, |best| value / best)
    };
    let ratios = values.iter().enumerate().map(ratio).collect();
    Ok((ratios, if others.is_empty() { unit } else { Unit::One }))
}

/// The same figure from every round, in order of size; at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Rounds(Vec<f64>);

impl Rounds {
    /// Nothing, if there are none.
    pub fn new(figures: impl Iterator<Item = f64>) -> Option<Rounds> {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        (!figures.is_empty()).then_some(Rounds(figures))
    }

    /// All, the least first.
    pub fn all(&self) -> &[f64] {
        &self.0
    }

    /// The least.
    pub fn least(&self) -> f64 {
        self.0[0]
    }

    /// The most.
    pub fn most(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    /// The one in the middle.
    pub fn median(&self) -> f64 {
        let count = self.0.len();
        (self.0[(count - 1) / 2] + self.0[count / 2]) / 2.0
    }

    /// Each times a factor.
    fn scaled(&self, factor: f64) -> Rounds {
        Rounds(self.0.iter().map(|figure| figure * factor).collect())
    }
}

/// The machine that this runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Its name.
    pub cpu: String,
    /// How many processors there are.
    pub cores: usize,
    /// Its memory.
    pub memory_gib: u64,
    /// The release of the kernel.
    pub kernel: String,
    /// Of the directory that the stores are in.
    pub file_system: String,
}

impl Machine {
    /// This one, with the file system of a directory.
    ///
    /// # Errors
    /// If `/proc` doesn't say.
    pub fn here(stores: &Path) -> Outcome<Machine> {
        let stores = stores.to_str().ok_or("the directory of the stores has no name")?;
        let file_system = output("df", &["--output=fstype", stores])?;
        Ok(Machine {
            cpu: CpuInfo::current()?.model_name(0).unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            memory_gib: Meminfo::current()?.mem_total.div_ceil(1 << 30),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            file_system: file_system.lines().last().unwrap_or_default().to_owned(),
        })
    }
}

/// The revision of the code that is measured.
fn revision() -> Outcome<String> {
    let git = |args: &[&str]| output("git", &[&["-C", env!("CARGO_MANIFEST_DIR")], args].concat());
    // The records themselves change nothing.
    let code = [":/", ":(top,exclude)benches/results"];
    let changes =
        git(&[&["status", "--porcelain", "--untracked-files=no", "--"], &code[..]].concat())?;
    Ok(git(&["rev-parse", "--short=12", "HEAD"])? + if changes.is_empty() { "" } else { "+" })
}

/// What a program prints.
///
/// # Errors
/// If it isn't there, or fails.
pub fn output(program: &str, args: &[&str]) -> Outcome<String> {
    let output =
        Command::new(program).args(args).output().map_err(|e| format!("{program}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_continues_under_its_conditions_and_under_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record.json");
        let new = |keys: u64| Record::new(dir.path(), [("keys", keys.into())]).unwrap();
        for rounds in 1..=2 {
            let mut record = new(7).units(Unit::Second, &["p99"]).continued(&path).unwrap();
            record.add("get/kvs".to_owned(), [("p99".to_owned(), 1.23456e-5)].into());
            assert_eq!(record.rounds(), rounds);
            record.write(&path).unwrap();
        }
        let record = Record::read(&path).unwrap();
        assert_eq!(record.rounds_of("get/kvs", "p99").unwrap().all(), [1.235e-5; 2]);
        let refused = new(8).continued(&path).err().unwrap().to_string();
        assert!(refused.contains("with other settings"), "{refused}");
    }
}
