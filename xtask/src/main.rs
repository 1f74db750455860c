//! `cargo xtask sync` writes everything in the repository that is derived from something else, and
//! `cargo xtask sync --check` says what it would change.
//!
//! | file | writes |
//! |---|---|
//! | `moves/` | the code that a reader types in a chapter |
//! | `excerpts.rs` | code that the texts show as it is |
//! | `tables.rs` | tables and figures |
//! | `numbers.rs` | measured numbers in prose |
//!
//! `cargo xtask check` runs what cannot be derived. `reader.rs` is for people who type along. `cargo xtask
//! book` makes pages of the text, by a package of its own: `xtask/book`.
//!
//! `tree.rs` has the files as they are and as they should be, `text.rs` reads Markdown.

mod compiled;
mod excerpts;
mod links;
mod moves;
mod numbers;
mod programs;
mod reader;
mod sessions;
mod tables;
mod text;
mod tree;

use compiled::cargo;
use links::Names;
use reader::Outcome;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use tree::{Problem, Tree};

const USAGE: &str = "\
usage: cargo xtask start DIR | check DIR [CHAPTER] | diff DIR STAGE | catch-up DIR STAGE
       cargo xtask sync [--check] | check | replay | follow DIR
       cargo xtask book [DIR]";

/// The text that has moves, sessions and programs.
const WALKTHROUGH: &str = "WALKTHROUGH.md";

/// The texts in which something is generated.
const TEXTS: [&str; 6] = [
    "README.md",
    "final/README.md",
    "final/FORMAT.md",
    WALKTHROUGH,
    "final/PROMISES.md",
    "benches/README.md",
];
/// Those of them that have sessions and programs.
const RUN: [&str; 3] = ["README.md", "final/README.md", WALKTHROUGH];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args[..] {
        ["sync"] => outcome(sync(false)),
        ["sync", "--check"] => outcome(sync(true)),
        ["check"] => outcome(check()),
        ["replay"] => outcome(replay(&Tree::new(root()))),
        ["follow", dir] => reader::follow(root(), dir, WALKTHROUGH),
        ["start", dir] => reader::start(root(), dir),
        ["check", dir] => reader::check(root(), dir, None),
        ["check", dir, chapter] => reader::check(root(), dir, Some(chapter)),
        ["diff", dir, stage] => reader::diff(root(), dir, stage),
        ["catch-up", dir, stage] => reader::catch_up(root(), dir, stage),
        ["book"] => book(&root().join("target/book")),
        ["book", dir] => book(Path::new(dir)),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(text) if text.is_empty() => ExitCode::SUCCESS,
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// What is said of problems.
fn outcome(problems: Vec<Problem>) -> Outcome {
    let said: Vec<String> = problems.iter().map(Problem::to_string).collect();
    if said.is_empty() { Ok(String::new()) } else { Err(said.join("\n")) }
}

/// Makes pages of the text.
fn book(dir: &Path) -> Outcome {
    let manifest = root().join("xtask/book/Cargo.toml");
    let made = cargo().arg("run").arg("--manifest-path").arg(manifest).arg("--").arg(dir).status();
    let is_made = made.is_ok_and(|status| status.success());
    if is_made { Ok(String::new()) } else { Err("there is no book".to_owned()) }
}

/// Derives all files anew, and writes those that differ, or only names where they do.
fn sync(is_check: bool) -> Vec<Problem> {
    let mut tree = Tree::new(root());
    let problems = derive(&mut tree);
    if is_check {
        return problems.into_iter().chain(tree.differences()).collect();
    }
    problems.into_iter().chain(tree.save()).collect()
}

/// Every generator in turn. Each reads from the tree what the one before it has written.
fn derive(tree: &mut Tree) -> Vec<Problem> {
    let mut problems = moves::sync(tree, WALKTHROUGH);
    problems.extend(tables::figures(tree));
    let tables = tables::tables(root()).unwrap_or_else(|error| {
        problems.push(Problem::new("benches/results", 1, error.to_string()));
        BTreeMap::new()
    });
    for text in TEXTS {
        problems.extend(excerpts::sync(tree, text));
        problems.extend(tables::sync(tree, text, &tables));
        problems.extend(numbers::sync(tree, text));
    }
    problems.extend(numbers::bounds(WALKTHROUGH, &tree.read(WALKTHROUGH).unwrap_or_default()));
    problems
}

/// Compiles what a reader has where the text says that it compiles, and makes the detours.
fn replay(tree: &Tree) -> Vec<Problem> {
    match tree.read(WALKTHROUGH) {
        Ok(text) => moves::replay(root(), WALKTHROUGH, &text),
        Err(problem) => vec![problem],
    }
}

/// The stages that the text runs.
const STAGES: [&str; 9] = ["0", "1", "2", "3", "4", "5", "6", "7", "final"];

/// What is wrong with what can't be derived: with links and names, and with what the text runs.
fn check() -> Vec<Problem> {
    let tree = Tree::new(root());
    let names = Names::read(root());
    let check = |file: &&str| match tree.read(file) {
        Ok(text) => links::check(root(), file, &text, &names),
        Err(problem) => vec![problem],
    };
    let mut problems: Vec<Problem> = TEXTS
        .iter()
        .chain(&["SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"])
        .flat_map(check)
        .collect();
    problems.extend(links::check_stages(root()));
    problems.extend(run(&tree).unwrap_or_else(|problem| vec![problem]));
    problems.extend(replay(&tree));
    problems
}

/// Runs the sessions and the programs of the texts.
fn run(tree: &Tree) -> Result<Vec<Problem>, Problem> {
    let build = |stage: &str| {
        let built =
            compiled::build_stage(root(), stage).map_err(|e| Problem::new("stages", 1, e))?;
        Ok((stage.to_owned(), built))
    };
    let stages = STAGES.into_iter().map(build).collect::<Result<BTreeMap<_, _>, _>>()?;
    let mut problems = Vec::new();
    for file in RUN {
        let text = tree.read(file)?;
        problems.extend(sessions::check(file, &text, &stages));
        problems.extend(programs::check(file, &text, &stages));
    }
    Ok(problems)
}

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
