//! No stage's code speaks of the others: the text tells the history.

use crate::problem::Problem;
use std::fs;
use std::path::Path;

const FORBIDDEN: [&str; 9] =
    ["stage", "step ", "previous", "no longer", "not yet", "changed", "chapter", "copyright", "/*"];
/// What the first line of each stage says.
const ALLOWED: &str = "as one step of `walkthrough.md`";

/// The lines of the stages that say one of these words. `common` is no stage.
pub(crate) fn check(root: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    for stage in fs::read_dir(root.join("stages")).into_iter().flatten().flatten() {
        if stage.file_name().to_string_lossy().starts_with(|c: char| c.is_ascii_digit()) {
            check_dir(root, &stage.path(), &mut problems);
        }
    }
    problems
}

fn check_dir(root: &Path, dir: &Path, problems: &mut Vec<Problem>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            check_dir(root, &path, problems);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
            let text = fs::read_to_string(&path).unwrap_or_default();
            problems.extend(check_file(&name, &text));
        }
    }
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
        assert!(
            found.len() == 1 && found[0].to_string().starts_with("a.rs:3: `stage`"),
            "{found:?}"
        );
    }

    #[test]
    fn no_stage_of_the_repository_speaks_of_the_others() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert_eq!(check(root), []);
        assert!(root.join("stages/1-naive-pool/src").is_dir(), "or else nothing was looked at");
    }
}
