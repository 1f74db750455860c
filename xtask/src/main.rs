//! `cargo xtask sync` writes everything in the repository that is derived from something else, and
//! `cargo xtask sync --check` says what it would change.
//!
//! | file | writes |
//! |---|---|
//! | `tables.rs` | tables and figures |
//! | `numbers.rs` | measured numbers in prose |
//!
//! `tree.rs` has the files as they are and as they should be, `text.rs` reads Markdown.

mod numbers;
mod problem;
mod tables;
mod text;
mod tree;

use problem::Problem;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use tree::Tree;

const USAGE: &str = "usage: cargo xtask sync [--check]";

/// The texts in which something is generated.
const TEXTS: [&str; 3] = ["README.md", "WALKTHROUGH.md", "benches/README.md"];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let problems = match args[..] {
        ["sync"] => sync(false),
        ["sync", "--check"] => sync(true),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    for problem in &problems {
        eprintln!("{problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
    let mut problems = tables::figures(tree);
    let tables = tables::tables(tree).unwrap_or_else(|problem| {
        problems.push(problem);
        BTreeMap::new()
    });
    for text in TEXTS {
        problems.extend(tables::sync(tree, text, &tables));
        problems.extend(numbers::sync(tree, text));
    }
    problems
}

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
