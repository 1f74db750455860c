//! What is common to the command lines of the benches.

use crate::{Outcome, Record};
use std::path::{Path, PathBuf};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Everything once, with as little to do as it takes.
    Test,
    /// For a look.
    Quick,
    /// For the record.
    Full,
}

/// What a bench without Criterion was told.
#[derive(Debug)]
pub struct Options {
    /// How much to measure.
    pub amount: Amount,
    /// What to measure: what has one of these in its name, or one of several with `|` between. All, if there is none.
    pub words: Vec<String>,
    /// Where the samples go, after those that are there. As all paths here: from the root of the workspace.
    pub json: Option<PathBuf>,
    /// Where a page with all figures goes, if this bench has one.
    pub out: Option<PathBuf>,
    /// Whether only names are to be said.
    pub is_list: bool,
}

/// What Criterion has beside ours, for the other benches of the same command: without a value, and with one.
const OF_CRITERION: [&str; 2] = [
    "--noplot --exact --verbose -v --quiet -n --discard-baseline --nocapture",
    "--save-baseline --baseline --baseline-lenient --load-baseline --sample-size --warm-up-time \
     --measurement-time --nresamples --noise-threshold --confidence-level --significance-level \
     --profile-time --color -c --plotting-backend --output-format",
];

impl Options {
    /// Reads `[--quick | --full | --list] [--json FILE] [--out DIR] [WORD]…`. What Criterion has beside that is passed
    /// over. Cargo passes `--bench` when it runs the benches, and nothing when it runs them as tests; then everything
    /// is run once.
    ///
    /// # Errors
    /// If there is an option that is none of these.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Outcome<Options> {
        // Cargo runs a bench in the directory of its package, wherever it was typed.
        let at =
            |path| Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join::<String>(path);
        let is_one = |option: &str, of: &str| of.split(' ').any(|one| one == option);
        let (mut is_bench, mut is_test, mut amount) = (false, false, None);
        let mut options =
            Options { amount: Amount::Test, words: vec![], json: None, out: None, is_list: false };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--bench" => is_bench = true,
                "--test" => is_test = true,
                "--quick" => amount = Some(Amount::Quick),
                "--full" => amount = Some(Amount::Full),
                "--list" => options.is_list = true,
                "--out" => options.out = Some(at(args.next().ok_or("--out: which directory?")?)),
                "--json" => options.json = Some(at(args.next().ok_or("--json: which file?")?)),
                other if is_one(other, OF_CRITERION[0]) => {}
                other if is_one(other.split('=').next().unwrap_or(other), OF_CRITERION[1]) => {
                    if !other.contains('=') {
                        args.next().ok_or_else(|| format!("{other}: there has to be a value"))?;
                    }
                    if other.contains("baseline") {
                        eprintln!("no baseline is kept of what Criterion does not measure");
                    }
                }
                other if other.starts_with('-') => {
                    let known = "there are --quick, --full, --list, --json FILE, --out DIR";
                    return Err(format!("{other}: no such option; {known}").into());
                }
                _ => options.words.push(arg),
            }
        }
        if is_bench && !is_test {
            // A page is there to be kept; what is only printed is for a look.
            let usual = if options.out.is_some() { Amount::Full } else { Amount::Quick };
            options.amount = amount.unwrap_or(usual);
        }
        Ok(options)
    }

    /// The record, with the samples that its file has already, if there is to be one.
    ///
    /// # Errors
    /// If those were taken under other conditions.
    pub fn continued(&self, record: Record) -> Outcome<Record> {
        match &self.json {
            Some(path) => record.continued(path),
            None => Ok(record),
        }
    }

    /// Puts the record into its file, if there is to be one.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn keep(&self, record: &Record) -> Outcome<()> {
        self.json.as_ref().map_or(Ok(()), |path| record.write(path))
    }

    /// Whether what has this name is to be measured. If only names are to be said, this says it.
    pub fn wants(&self, name: &str) -> bool {
        let mut words = self.words.iter().flat_map(|word| word.split('|'));
        let is_picked = self.words.is_empty() || words.any(|word| name.contains(word));
        if is_picked && self.is_list {
            println!("{name}: benchmark");
        }
        is_picked && !self.is_list
    }
}

/// Where stores are made that should not wait for a disk: in memory, if there is such a place.
pub fn in_memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() }
}
