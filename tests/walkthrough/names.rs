//! What the text names between backticks exists: the tests that hold an invariant, files, and what
//! a `cargo` command picks.

use crate::markdown::{Content, Document};
use crate::report::{Counts, Finding, verdict};
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Under this heading, and before the questions, a name in snake case is a test's.
const HEADING: &str = "Checkpoint";
const QUESTIONS: &str = "Questions";
/// Anywhere else only one with so many underscores is.
const LONG: usize = 4;
/// What begins with one of these is a file.
const DIRS: [&str; 4] = ["tests/", "final/", "stages/", "benches/"];

/// What can be named.
struct Repository {
    root: PathBuf,
    functions: BTreeSet<String>,
    manifest: toml::Table,
}

impl Repository {
    fn read(root: &Path) -> Repository {
        let mut functions = BTreeSet::new();
        for dir in ["tests", "final/src", "final/tests", "stages"] {
            functions.extend(names_below(&root.join(dir)).1);
        }
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap().parse().unwrap();
        Repository { root: root.to_owned(), functions, manifest }
    }

    /// What is wrong with this piece of code.
    fn wrong(&self, code: &str, are_tests: bool) -> Option<String> {
        if let Some(command) = code.strip_prefix("cargo ") {
            return self.wrong_in_command(command);
        }
        let is_file = DIRS.iter().any(|dir| code.starts_with(dir));
        if is_file && !self.root.join(code).exists() {
            return Some("there is no such file".to_owned());
        }
        let is_snake =
            code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let underscores = code.matches('_').count();
        let is_test = is_snake && (underscores >= LONG || underscores > 0 && are_tests);
        (is_test && !self.functions.contains(code)).then(|| "there is no such test".to_owned())
    }

    /// The first thing that a command picks and that is not there.
    fn wrong_in_command(&self, command: &str) -> Option<String> {
        let mut words = command.split_whitespace().take_while(|word| *word != "--").peekable();
        while let Some(word) = words.next() {
            let picked = match word {
                "--features" | "--bench" | "--bin" | "--test" => words.next()?,
                _ => continue,
            };
            let exists = match word {
                "--features" => self.manifest["features"].get(picked).is_some(),
                "--test" => {
                    let filter = words.next_if(|word| !word.starts_with('-'));
                    self.has_test(picked, filter.unwrap_or_default())
                }
                section => self.has_target(section.trim_start_matches('-'), picked),
            };
            if !exists {
                return Some(format!("`{word} {picked}` picks nothing"));
            }
        }
        None
    }

    fn has_target(&self, section: &str, name: &str) -> bool {
        let targets = self.manifest.get(section).and_then(|targets| targets.as_array());
        targets.into_iter().flatten().any(|target| target["name"].as_str() == Some(name))
    }

    /// Whether the tests of this name have a module or a function with `filter` in its name.
    fn has_test(&self, name: &str, filter: &str) -> bool {
        let path = self.root.join("tests").join(name);
        let (modules, functions) = match path.join("main.rs").exists() {
            true => names_below(&path),
            false => names_below(&path.with_extension("rs")),
        };
        modules.iter().chain(&functions).any(|name| name.contains(filter))
    }
}

/// The modules and the functions of a file, or of the files in a directory.
fn names_below(path: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut modules, mut functions) = (BTreeSet::new(), BTreeSet::new());
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            let (more_modules, more_functions) = names_below(&entry.unwrap().path());
            modules.extend(more_modules);
            functions.extend(more_functions);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs")
        && let Ok(text) = fs::read_to_string(path)
    {
        modules.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let names = text.split("fn ").skip(1).map(|rest| rest.split(|c| !is_name(c)).next());
        functions.extend(names.flatten().map(str::to_owned));
    }
    (modules, functions)
}

fn check(document: &Document, repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut are_tests = false;
    let mut look = |line: usize, code: &str, are_tests: bool| {
        let wrong = repository.wrong(code, are_tests);
        findings.extend(wrong.map(|words| Finding::new(line, format!("`{code}`: {words}"))));
    };
    for block in &document.blocks {
        match &block.content {
            Content::Heading(heading) => are_tests = heading.text == HEADING,
            Content::Prose(prose) => {
                are_tests &= !prose.text(true).starts_with(QUESTIONS);
                for piece in prose.pieces.iter().filter(|piece| piece.is_code) {
                    look(piece.line, &piece.text, are_tests);
                }
            }
            Content::Code(code) if code.language == "console" => {
                for (number, line) in code.text.lines().enumerate() {
                    look(block.line + 1 + number, line.trim_start_matches("$ "), false);
                }
            }
            _ => {}
        }
    }
    findings
}

pub fn trials(document: &Arc<Document>, root: &Path, counts: &Arc<Counts>) -> Vec<Trial> {
    let (document, root, counts) = (Arc::clone(document), root.to_owned(), Arc::clone(counts));
    vec![Trial::test("names::what_the_text_names_exists", move || {
        let prose = document.proses().flat_map(|(_, prose)| &prose.pieces);
        counts.add("pieces of code in the prose", prose.filter(|piece| piece.is_code).count());
        verdict(&document, check(&document, &Repository::read(&root)))
    })]
}

/// What is found in a text under this heading.
fn found(heading: &str, text: &str) -> Vec<String> {
    let document = Document::parse("t.md", format!("# T\n## {heading}\n{text}\n"));
    let findings = check(&document, &Repository::read(Path::new(crate::ROOT)));
    findings.into_iter().map(|found| format!("{}: {}", found.line, found.words)).collect()
}

fn names_of_what_exists_are_good() {
    let text = "`concurrent_get` in `tests/kv_store.rs`, `final/models`, `fetch_add`,\n\
                `cargo test --test stories skip_list -- --nocapture`, `cargo test --test matrix`\n\
                `cargo bench --features all-stages --bench scaling`, `cargo run --bin kvs-server`,\n\
                ```console\n$ cargo test --features stage-1 --test thread_pool naive\n```";
    assert_eq!(found("Other", text), Vec::<String>::new());
    assert_eq!(found(HEADING, "Questions:\n\n1. `next_id`?"), Vec::<String>::new());
}

fn a_planted_name_of_nothing_is_caught() {
    assert_eq!(found(HEADING, "`concurrent_got`"), ["3: `concurrent_got`: there is no such test"]);
    let words = ["3: `a_test_that_nobody_wrote`: there is no such test"];
    assert_eq!(found("Other", "`a_test_that_nobody_wrote`"), words);
    assert_eq!(found("Other", "`tests/ghost.rs`"), ["3: `tests/ghost.rs`: there is no such file"]);
}

fn a_planted_command_that_picks_nothing_is_caught() {
    for (command, picked) in [
        ("cargo test --test ghosts", "--test ghosts"),
        ("cargo test --test stories skip_lost", "--test stories"),
        ("cargo bench --features stage-5 --bench cued", "--bench cued"),
        ("cargo run --features stage-8 --bin kvs-server", "--features stage-8"),
        ("cargo run --bin kvs-ghost", "--bin kvs-ghost"),
    ] {
        let words = format!("`{command}`: `{picked}` picks nothing");
        assert_eq!(found("Other", &format!("`{command}`")), [format!("3: {words}")]);
        let console = format!("```console\n$ {command}\n```");
        assert_eq!(found("Other", &console), [format!("4: {words}")]);
    }
}

pub fn tests() -> Vec<Trial> {
    crate::tests![
        names_of_what_exists_are_good,
        a_planted_name_of_nothing_is_caught,
        a_planted_command_that_picks_nothing_is_caught,
    ]
}
