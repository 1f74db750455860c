//! The command line of the benches that count and price small things.

use std::path::PathBuf;

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Everything once, with as little to do as it takes.
    Test,
    /// For a look.
    Quick,
    /// For the record.
    Full,
}

pub(crate) struct Options {
    pub(crate) size: Size,
    /// What to measure: one of these is a part of its name. All, if there is none. With `--tables`
    /// the text that they are put into.
    pub(crate) words: Vec<String>,
    /// Where the samples go, after those that are there.
    pub(crate) json: Option<PathBuf>,
    /// The record to print; then nothing is measured.
    pub(crate) tables: Option<PathBuf>,
}

impl Options {
    /// Cargo passes `--bench` when it runs the benches, and nothing when it runs them as tests.
    ///
    /// # Errors
    /// If there is an option that is none of these.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Options, String> {
        let (mut bench, mut test, mut full) = (false, false, false);
        let mut options = Options { size: Size::Test, words: vec![], json: None, tables: None };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut file = || args.next().map(PathBuf::from).ok_or(format!("{arg}: which file?"));
            match arg.as_str() {
                "--bench" => bench = true,
                "--test" => test = true,
                "--full" => full = true,
                // The other benches have an option for it; here it is what there is without one.
                "--quick" => {}
                "--json" => options.json = Some(file()?),
                "--tables" => options.tables = Some(file()?),
                other if other.starts_with('-') => {
                    return Err(format!(
                        "{other}: no such option; there are --quick, --full, --json, --tables"
                    ));
                }
                _ => options.words.push(arg),
            }
        }
        options.size = match (bench && !test, full) {
            (false, _) => Size::Test,
            (true, false) => Size::Quick,
            (true, true) => Size::Full,
        };
        Ok(options)
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word))
    }
}
