//! Which code a record has measured, so that nobody shows an old figure.
//!
//! A record keeps a [`Source`] for each stage that it measured (and for `final`):
//! `sources::measured(&["stage-1", "final"])?` among its conditions. A test asks [`changed`] whether
//! they are still what is there.
//!
//! Counted is what a bench runs: the engine, the pools, the server, what they share, and nothing else.
//! Not counted are comments and tests; the command line, options and signals, which benches go
//! round; a client, since a bench has its own; the simulated disks, the checker and the probe, which
//! are for tests or by themselves. A file of a name that is not known here counts.
#![allow(dead_code)] // compiled into benches, which measure, and tests, which look

#[path = "../../tests/support/sums.rs"]
pub(crate) mod sums;

use crate::record::{Outcome, output};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What was measured under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    /// The directory's tree, as git names it; with a `+` if something in it was not committed.
    pub(crate) tree: String,
    /// A sum over the code that counts.
    pub(crate) code: String,
}

/// The directories that have the code behind a name, the first of them its own.
fn directories(name: &str) -> Outcome<Vec<&'static str>> {
    const STAGES: [&str; 7] = [
        "stages/1-naive-pool",
        "stages/2-shared-engine",
        "stages/3-threaded-server",
        "stages/4-shared-queue",
        "stages/5-rayon",
        "stages/6-rwlock",
        "stages/7-lock-free",
    ];
    if name == "final" {
        return Ok(vec!["final"]);
    }
    let number: Option<usize> = name.strip_prefix("stage-").and_then(|number| number.parse().ok());
    let stage = number.and_then(|number| STAGES.get(number.checked_sub(1)?));
    Ok(vec![stage.ok_or_else(|| format!("`{name}` is no stage"))?, "stages/common"])
}

/// What does not count, below `src`: a directory's name ends with `/`.
const NOT_MEASURED: [&str; 14] = [
    "bin/",
    "cli/",
    "cli.rs",
    "client/",
    "client.rs",
    "disk/power_cut.rs",
    "disk/simulated.rs",
    "kv_store/check.rs",
    "kv_store/tests/",
    "lib.rs",
    "options/",
    "options.rs",
    "probe.rs",
    "signals.rs",
];

/// The code that is there now, by name: `stage-1` to `stage-7`, and `final`.
///
/// # Errors
/// If there is no such name, or no git.
pub(crate) fn measured(names: &[&str]) -> Outcome<BTreeMap<String, Source>> {
    names.iter().map(|name| Ok(((*name).to_owned(), source(name)?))).collect()
}

fn source(name: &str) -> Outcome<Source> {
    let (root, own) = (env!("CARGO_MANIFEST_DIR"), directories(name)?[0]);
    let tree = output("git", &["-C", root, "rev-parse", "--short=12", &format!("HEAD:{own}")])?;
    let changes = output("git", &["-C", root, "status", "--porcelain", "--", own])?;
    let tree = tree + if changes.is_empty() { "" } else { "+" };
    Ok(Source { tree, code: sum(name)? })
}

/// The names whose code is not any more what was measured.
pub(crate) fn changed(measured: &BTreeMap<String, Source>) -> Outcome<Vec<&str>> {
    let mut changed = Vec::new();
    for (name, source) in measured {
        if sum(name)? != source.code {
            changed.push(name.as_str());
        }
    }
    Ok(changed)
}

fn sum(name: &str) -> Outcome<String> {
    let mut files = BTreeMap::new();
    for dir in directories(name)? {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir).join("src");
        let found = sums::files(&src, &NOT_MEASURED)?;
        files.extend(found.into_iter().map(|(name, text)| (format!("{dir}/{name}"), text)));
    }
    Ok(sums::sum_of(&files))
}

#[cfg(test)]
#[allow(unused)] // a bench without a harness is built with `test`, and has no tests
mod tests {
    use super::sums::sum_of;
    use super::*;

    fn files(name: &str, text: &str) -> BTreeMap<String, String> {
        [(name.to_owned(), text.to_owned())].into()
    }

    #[test]
    fn a_change_of_code_counts_and_a_comment_or_a_test_does_not() {
        let sum = |text| sum_of(&files("a.rs", text));
        let before = sum("fn a() {}\n");
        assert_eq!(before, sum("/// Why.\nfn a() {\n    // How.\n}\n"));
        assert_eq!(before, sum("fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n"));
        assert_ne!(before, sum("fn b() {}\n"));
        assert_ne!(before, sum_of(&files("b.rs", "fn a() {}\n")));
    }

    #[test]
    fn every_name_has_code_of_its_own() {
        let names = (1..=7).map(|n| format!("stage-{n}")).chain(["final".to_owned()]);
        let sums: std::collections::BTreeSet<_> = names.map(|name| sum(&name).unwrap()).collect();
        assert_eq!(sums.len(), 8);
        assert!(sum("stage-8").is_err() && sum("stage-0").is_err());
    }

    #[test]
    fn what_is_not_measured_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in NOT_MEASURED {
            let dirs = ["final", "stages/common", "stages/1-naive-pool", "stages/5-rayon"];
            let is_there = dirs.iter().any(|dir| root.join(dir).join("src").join(name).exists());
            assert!(is_there, "{name} is not there");
        }
    }

    #[test]
    fn a_record_of_other_code_is_found() {
        let stages = ["stage-1", "stage-2"];
        let source = |name| Source { tree: String::new(), code: sum(name).unwrap() };
        let mut measured: BTreeMap<_, _> =
            stages.map(|name| (name.to_owned(), source(name))).into();
        assert_eq!(changed(&measured).unwrap(), Vec::<&str>::new());
        measured.get_mut("stage-2").unwrap().code.insert(0, '0');
        assert_eq!(changed(&measured).unwrap(), ["stage-2"]);
    }
}
