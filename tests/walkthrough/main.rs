//! Keeps `WALKTHROUGH.md` true: what it quotes is in the code, and what a stage changes is said.
//!
//! Each check is a function from the parsed text to what is wrong with it ([`report::Finding`]), so
//! that a test can plant a fault into a small text and see it found. The trials are made at run
//! time, one a chapter or a block, so that the one that fails has a name.
//!
//! `WALKTHROUGH=rewrite cargo test --test walkthrough` brings the excerpts up to date,
//! `WALKTHROUGH=hunks …` prints what is neither shown nor listed, and `KVS_WALKTHROUGH=FILE …` takes
//! another text than the repository's.

#![allow(clippy::unwrap_used)]

mod excerpts;
mod hunks;
mod markdown;
mod report;
mod source;

use libtest_mimic::Arguments;
use markdown::Document;
use report::Counts;
use source::Tree;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::{env, fs};

/// The root of the repository: what the text links to is relative to it.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn main() -> ExitCode {
    if env!("KVS_STAGE") != "final" {
        println!("the text is the same for all stages: it is checked without a feature");
        return ExitCode::SUCCESS;
    }
    let path =
        env::var_os("KVS_WALKTHROUGH").map_or_else(|| Path::new(ROOT).join("WALKTHROUGH.md"), PathBuf::from);
    let root = Path::new(ROOT);
    let tree = Arc::new(Tree::read(root));
    match env::var("WALKTHROUGH").as_deref() {
        Ok("rewrite") => return rewrite(&path, &tree),
        Ok("hunks") => {
            print!("{}", hunks::uncovered(&Document::read(&path), &tree));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }

    let document = Arc::new(Document::read(&path));
    let counts = Arc::new(Counts::default());
    let trials = [
        markdown::tests(),
        source::tests(),
        excerpts::tests(),
        excerpts::trials(&document, &tree, &counts),
        hunks::tests(),
        hunks::trials(&document, &tree, &counts),
    ];
    let trials = trials.into_iter().flatten().collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    counts.print();
    conclusion.exit_code()
}

/// Brings the text's excerpts up to date.
fn rewrite(path: &Path, tree: &Tree) -> ExitCode {
    let document = Document::read(path);
    let (text, rewritten, failed) = excerpts::rewrite(&document, tree);
    if rewritten > 0 {
        fs::write(path, text).unwrap();
    }
    println!("{rewritten} excerpts rewritten, {} could not be", failed.len());
    for found in &failed {
        println!("{}:{}: {}", document.name, found.line, found.words);
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
