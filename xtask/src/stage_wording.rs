//! No stage's code speaks of the others: the text tells the history.

use crate::tree::{Problem, sources};
use std::path::{Path, PathBuf};

const FORBIDDEN: [&str; 9] =
    ["stage", "step ", "previous", "no longer", "not yet", "changed", "chapter", "copyright", "/*"];
/// What the first line of each stage says.
const ALLOWED: &str = "as one step of `walkthrough.md`";

/// The lines of the stages that say one of these words. `common` is no stage.
pub(crate) fn check(root: &Path) -> Vec<Problem> {
    let check = |(path, text): &(PathBuf, String)| {
        let path = path.strip_prefix(root.join("stages")).unwrap_or(path).to_string_lossy();
        let is_stage = path.starts_with(|first: char| first.is_ascii_digit());
        if is_stage { check_file(&format!("stages/{path}"), text) } else { Vec::new() }
    };
    sources(&root.join("stages")).iter().flat_map(check).collect()
}

fn check_file(file: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.to_lowercase().replace(ALLOWED, "");
        for word in FORBIDDEN.iter().filter(|word| line.contains(**word)) {
            let message = format!("`{word}`: a stage doesn't know that there are others");
            problems.push(Problem::new(file, number + 1, message));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_into_the_future_is_noticed() {
        let text = "//! A store, as one step of `WALKTHROUGH.md`.\n\nfn f() {} // A later stage mends this.\n";
        let found = check_file("a.rs", text);
        let message = "`stage`: a stage doesn't know that there are others";
        assert_eq!(found, [Problem::new("a.rs", 3, message)]);
    }
}
