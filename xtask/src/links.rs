//! What the texts point to exists: files and headings that they link to, directives, and what they name
//! between backticks: files, long names, which are those of tests, and what a `cargo` command picks. And no
//! stage's code points to another stage.

use crate::text::{fences, prose};
use crate::tree::{Problem, sources};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What begins with one of these between backticks is a file.
const DIRS: [&str; 5] = ["tests/", "final/", "stages/", "benches/", "xtask/"];
/// What a comment of a text begins with: a directive. A misspelt one would do nothing, and be silent.
const DIRECTIVES: [&str; 8] =
    ["compiles", "excerpt", "move", "numbers", "rename", "step", "table", "try"];
/// A name with so many underscores is a function's.
const LONG: usize = 4;

/// What is wrong with the links of a text below `root`, and with its names.
pub(crate) fn check(root: &Path, file: &str, text: &str, names: &Names) -> Vec<Problem> {
    let mut problems = Vec::new();
    let dir = root.join(file).parent().unwrap_or(root).to_owned();
    for (line, _, words) in prose(text) {
        let (plain, code) = spans(words);
        let broken = targets(&plain)
            .into_iter()
            .filter_map(|target| Some(format!("`{target}`: {}", broken(&dir, text, target)?)));
        let missing = code.into_iter().filter_map(|code| names.missing(code));
        let found = broken.chain(missing).chain(unknown_directive(words));
        problems.extend(found.map(|message| Problem::new(file, line, message)));
    }
    for fence in fences(text).iter().filter(|fence| fence.language == "console") {
        let commands = fence.text.lines().zip(fence.line + 1..);
        let missing = commands.filter_map(|(command, line)| {
            Some(Problem::new(file, line, names.missing(command.strip_prefix("$ ")?)?))
        });
        problems.extend(missing);
    }
    problems
}

/// What speaks of other stages in a stage's code: the text tells the history.
const OF_OTHERS: [&str; 9] =
    ["stage", "step ", "previous", "no longer", "not yet", "changed", "chapter", "copyright", "/*"];

/// The lines of the stages below `root` that say such a word, but for what the first line of each says.
pub(crate) fn check_stages(root: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in sources(&root.join("stages")) {
        let file = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
        // `common` is no stage.
        let is_stage = file["stages/".len()..].starts_with(|first: char| first.is_ascii_digit());
        for (line, words) in (1..).zip(text.lines()).filter(|_| is_stage) {
            let words = words.to_lowercase().replace("as one step of `walkthrough.md`", "");
            let said = OF_OTHERS.iter().filter(|word| words.contains(**word));
            let message = |word| format!("`{word}`: a stage doesn't know that there are others");
            problems.extend(said.map(|word| Problem::new(&file, line, message(word))));
        }
    }
    problems
}

/// What is wrong with a comment that is no directive.
fn unknown_directive(line: &str) -> Option<String> {
    let name = line.strip_prefix("<!--")?.trim_start().trim_start_matches('/');
    let name = name.split_whitespace().next().unwrap_or_default();
    (!DIRECTIVES.contains(&name)).then(|| format!("`<!-- {name}`: there is no such directive"))
}

/// A line without its pieces of code, and these.
fn spans(line: &str) -> (String, Vec<&str>) {
    let parts: Vec<&str> = line.split('`').collect();
    let plain: Vec<&str> = parts.iter().copied().step_by(2).collect();
    (plain.join("``"), parts.into_iter().skip(1).step_by(2).collect())
}

/// What a line links to: `[text](target)`, `src="target"`, `href="target"`, `srcset="target"`.
fn targets(line: &str) -> Vec<&str> {
    let ends = [("](", ')'), ("src=\"", '"'), ("href=\"", '"'), ("srcset=\"", '"')];
    let found = ends.iter().flat_map(|(begin, end)| {
        line.match_indices(begin).filter_map(|(at, _)| line[at + begin.len()..].split_once(*end))
    });
    found.map(|(target, _)| target).collect()
}

/// Why a link leads nowhere. What is in the web is not looked for.
fn broken(dir: &Path, own: &str, target: &str) -> Option<&'static str> {
    if target.starts_with("https://") || target.starts_with("http://") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = dir.join(file);
    if !file.is_empty() && !path.exists() {
        return Some("there is no such file");
    }
    let other = if file.is_empty() { None } else { fs::read_to_string(path).ok() };
    let has_it = anchor.is_empty() || anchors(other.as_deref().unwrap_or(own)).contains(anchor);
    (!has_it).then_some("there is no such heading")
}

/// What a link may have after its `#`: the headings in small letters, with `-` for blanks, without marks.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|(_, _, line)| line.starts_with('#'));
    let anchor = |heading: &str| {
        let title = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        title.chars().filter(|c| c.is_alphanumeric() || ['-', '_'].contains(c)).collect()
    };
    headings.map(|(_, _, heading)| anchor(heading)).collect()
}

/// What can be named.
pub(crate) struct Names<'a> {
    root: &'a Path,
    /// All code of the repository, with the names of its files.
    code: String,
    /// What declares features and programs.
    manifests: String,
}

impl Names<'_> {
    pub(crate) fn read(root: &Path) -> Names<'_> {
        let dirs = ["tests", "final", "stages", "benches"].map(|dir| sources(&root.join(dir)));
        // A module can be named as a function can.
        let with_name = |(path, text): &(PathBuf, String)| {
            format!("fn {}(\n{text}", path.file_stem().unwrap_or_default().display())
        };
        let code = dirs.iter().flatten().map(with_name).collect();
        let manifests = ["Cargo.toml", "benches/Cargo.toml", "final/Cargo.toml"]
            .map(|file| fs::read_to_string(root.join(file)).unwrap_or_default())
            .concat();
        Names { root, code, manifests }
    }

    /// Whether there is a test program or a bench of this name.
    fn is_target(&self, name: &str) -> bool {
        let dirs = ["tests", "benches", "final/tests"].map(|dir| self.root.join(dir).join(name));
        dirs.iter().any(|path| path.is_dir() || path.with_extension("rs").is_file())
    }

    /// What is wrong with a piece of code.
    fn missing(&self, code: &str) -> Option<String> {
        // What `cargo add` names is another crate's.
        if let Some(command) = code.strip_prefix("cargo ").filter(|rest| !rest.starts_with("add "))
        {
            let picked = self.picks_nothing(command)?;
            return Some(format!("`{code}`: `{picked}` picks nothing"));
        }
        let is_file = DIRS.iter().any(|dir| code.starts_with(dir)) && !code.contains(['*', ' ']);
        if is_file && !self.root.join(code).exists() {
            return Some(format!("`{code}`: there is no such file"));
        }
        let is_snake = code.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'));
        let is_long = is_snake && code.matches('_').count() >= LONG;
        (is_long && !self.code.contains(&format!("fn {code}")))
            .then(|| format!("`{code}`: there is no such test"))
    }

    /// The first option of a `cargo` command that names something which isn't there: a target, a
    /// feature, or a test behind `--test NAME`.
    fn picks_nothing(&self, command: &str) -> Option<String> {
        let words: Vec<&str> =
            command.split_whitespace().take_while(|word| *word != "--").collect();
        let after = |at: usize| words.get(at).copied().unwrap_or_default();
        (0..words.len()).find_map(|at| {
            let name = after(at + 1);
            // `--test NAME` stands for any.
            let is_any = name.chars().all(|c| c.is_ascii_uppercase());
            let exists = match words[at] {
                "--features" => self.manifests.contains(&format!("\n{name} = [")),
                "--bin" => self.manifests.contains(&format!("name = \"{name}\"")),
                "--bench" => self.is_target(name),
                "--test" => {
                    let filter = Some(after(at + 2)).filter(|word| !word.starts_with('-'));
                    self.is_target(name) && self.code.contains(filter.unwrap_or_default())
                }
                _ => true,
            };
            (!exists && !is_any).then(|| format!("{} {name}", words[at]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::said;

    /// What is found in a text at the root of the repository.
    fn found(text: &str) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        said(check(root, "t.md", text, &Names::read(root)))
    }

    #[test]
    fn a_look_into_the_future_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        let text = "//! A store, as one step of `WALKTHROUGH.md`.\n\nfn f() {} // A later stage mends this.\n";
        for dir in ["stages/1-a", "stages/common"] {
            fs::create_dir_all(root.path().join(dir)).unwrap();
            fs::write(root.path().join(dir).join("lib.rs"), text).unwrap();
        }
        let message = "stages/1-a/lib.rs:3: `stage`: a stage doesn't know that there are others";
        assert_eq!(said(check_stages(root.path())), [message]);
    }

    #[test]
    fn what_points_to_nothing_is_noticed() {
        for (text, message) in [
            ("[a](#title)", "`#title`: there is no such heading"),
            ("<!-- number", "`<!-- number`: there is no such directive"),
            ("<!-- /excerp -->", "`<!-- excerp`: there is no such directive"),
            ("[a](ghost.md)", "`ghost.md`: there is no such file"),
            ("[a](README.md#ghost)", "`README.md#ghost`: there is no such heading"),
            ("<img alt=\"\" src=\"ghost.svg\">", "`ghost.svg`: there is no such file"),
            ("`tests/ghost.rs`", "`tests/ghost.rs`: there is no such file"),
            ("`a_test_that_nobody_wrote`", "`a_test_that_nobody_wrote`: there is no such test"),
        ] {
            assert_eq!(found(text), [format!("t.md:1: {message}")]);
        }
        for (command, picked) in [
            ("cargo test --test ghosts", "--test ghosts"),
            ("cargo test --test stories skip_lost_x", "--test stories"),
            ("cargo bench --bench cued", "--bench cued"),
            ("cargo run --features stage-8", "--features stage-8"),
            ("cargo run --bin kvs-ghost", "--bin kvs-ghost"),
        ] {
            let message = format!("`{command}`: `{picked}` picks nothing");
            assert_eq!(found(&format!("`{command}`")), [format!("t.md:1: {message}")]);
            let session = format!("```console\n$ {command}\n```\n");
            assert_eq!(found(&session), [format!("t.md:2: {message}")]);
        }
    }
}
