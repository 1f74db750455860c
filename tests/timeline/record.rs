//! The record of the traces, from which the figure is drawn and which the text quotes.

use crate::figure;
use crate::script::{TICKS, Ticks};
use crate::stages::run;
use crate::strips::{Counts, Strip};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// What is kept.
#[derive(Serialize, Deserialize)]
pub struct Record {
    /// What takes how many ticks.
    pub ticks: Ticks,
    pub stages: Vec<Trace>,
}

/// What one stage did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    pub stage: String,
    pub name: String,
    pub server: String,
    pub counts: Counts,
    pub strips: Vec<Strip>,
}

impl Trace {
    /// Lets a stage do it now.
    pub fn take((stage, name, server): (&str, &str, &str)) -> Trace {
        let strips = run(stage);
        Trace {
            stage: stage.to_owned(),
            name: name.to_owned(),
            server: server.to_owned(),
            counts: Counts::of(&strips),
            strips,
        }
    }

    pub fn title(&self) -> String {
        match &*self.stage {
            "final" => "final".to_owned(),
            stage => format!("{stage} {}", self.name),
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.title(), self.server)?;
        self.strips.iter().try_for_each(|Strip { name, ticks }| writeln!(f, "{name:>9} |{ticks}"))
    }
}

impl Record {
    pub fn of(stages: Vec<Trace>) -> Record {
        Record { ticks: TICKS, stages }
    }

    /// The record that is kept.
    pub fn read() -> Record {
        serde_json::from_str(&fs::read_to_string(in_benches(JSON)).unwrap()).unwrap()
    }

    /// Keeps this one, and its figure.
    pub fn keep(&self) {
        let text = serde_json::to_string_pretty(self).unwrap() + "\n";
        fs::write(in_benches(JSON), text).unwrap();
        fs::write(in_benches(SVG), figure::draw(&self.stages)).unwrap();
    }
}

/// The figure that is kept.
pub fn kept_figure() -> String {
    fs::read_to_string(in_benches(SVG)).unwrap()
}

const JSON: &str = "results/timeline.json";
const SVG: &str = "figures/timeline.svg";

fn in_benches(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(name)
}
