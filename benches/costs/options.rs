//! What the command line asks for.

use std::path::PathBuf;
use std::time::Duration;

pub(crate) struct Options {
    pub(crate) rounds: u32,
    /// For one measurement.
    pub(crate) budget: Duration,
    /// Of the costs to measure: one of these is a part of their name. All, if there is none.
    pub(crate) words: Vec<String>,
    /// Where the samples go.
    pub(crate) json: Option<PathBuf>,
    /// The record to print; then nothing is measured.
    pub(crate) tables: Option<PathBuf>,
}

impl Options {
    /// Cargo passes `--bench` when it runs the benches, and nothing when it runs them as tests.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Options, String> {
        let (mut bench, mut test, mut full) = (false, false, false);
        let mut options =
            Options { rounds: 1, budget: Duration::ZERO, words: vec![], json: None, tables: None };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut file = || args.next().map(PathBuf::from).ok_or(format!("{arg} what file?"));
            match arg.as_str() {
                "--bench" => bench = true,
                "--test" => test = true,
                "--full" => full = true,
                "--json" => options.json = Some(file()?),
                "--tables" => options.tables = Some(file()?),
                word if word.starts_with('-') => {
                    return Err(format!("{word} is no option of costs"));
                }
                _ => options.words.push(arg),
            }
        }
        let (rounds, milliseconds) = match (bench && !test, full) {
            (false, _) => (1, 1),
            (true, false) => (3, 25),
            (true, true) => (5, 100),
        };
        Ok(Options { rounds, budget: Duration::from_millis(milliseconds), ..options })
    }

    pub(crate) fn wants(&self, cost: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| cost.contains(word))
    }
}
