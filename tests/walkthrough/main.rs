//! Keeps `WALKTHROUGH.md` true: what it quotes is in the code, what it runs was run, what it claims
//! was measured.
//!
//! Each check is a function from the parsed text to what is wrong with it ([`report::Finding`]), so
//! that a test can plant a fault into a small text and see it found. The trials are made at run
//! time, one a chapter or a block, so that the one that fails has a name.
//!
//! `WALKTHROUGH=rewrite cargo test --test walkthrough` brings the excerpts and the list of words up
//! to date, `WALKTHROUGH=hunks …` prints what is neither shown nor listed, and
//! `KVS_WALKTHROUGH=FILE …` takes another text than the repository's.

#![allow(clippy::unwrap_used)]

mod code;
mod console;
mod excerpts;
mod expected;
mod hunks;
mod links;
mod markdown;
mod names;
mod outline;
mod report;
mod source;
mod spelling;

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
/// The repository's own text.
const OWN: &str = "WALKTHROUGH.md";

fn main() -> ExitCode {
    if let Some(exit_code) = console::run_if_asked() {
        return exit_code;
    }
    if env!("KVS_STAGE") != "final" {
        println!("the text is the same for all stages: it is checked without a feature");
        return ExitCode::SUCCESS;
    }
    let path =
        env::var_os("KVS_WALKTHROUGH").map_or_else(|| Path::new(ROOT).join(OWN), PathBuf::from);
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
        links::tests(),
        links::trials(&document, root, &counts),
        names::tests(),
        names::trials(&document, root, &counts),
        outline::tests(),
        outline::trials(&document, &counts),
        spelling::tests(),
        spelling::trials(&document, root, &counts),
        console::tests(),
        console::trials(&document, &counts),
        code::tests(),
        code::trials(&document, &counts),
    ];
    let trials = trials.into_iter().flatten().collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    counts.print();
    conclusion.exit_code()
}

/// Brings the text's excerpts up to date and, if it is the repository's own, the list of its words.
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
    if path == Path::new(ROOT).join(OWN) {
        let new = spelling::rewrite(&document, Path::new(ROOT));
        println!("{} new words, to be read: {}", new.len(), new.join(" "));
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
