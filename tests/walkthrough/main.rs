//! Keeps `WALKTHROUGH.md` true: what it quotes is in the code, what it runs was run, what it claims
//! was measured.
//!
//! Each check is a function from the parsed text to what is wrong with it ([`report::Finding`]), so
//! that a test can plant a fault into a small text and see it found. The trials are made at run
//! time, one a chapter or a block, so that the one that fails has a name.
//!
//! `WALKTHROUGH=rewrite cargo test --test walkthrough` brings the excerpts up to date,
//! `WALKTHROUGH=hunks …` prints what is not shown and not listed, and `KVS_WALKTHROUGH=FILE` has
//! another text checked than the repository's.

#![allow(clippy::unwrap_used)]

mod claims;
mod markdown;
mod report;

use libtest_mimic::Arguments;
use markdown::Document;
use report::Counts;
use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The root of the repository: what the text links to is relative to it.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn main() -> ExitCode {
    let path = env::var_os("KVS_WALKTHROUGH")
        .map_or_else(|| Path::new(ROOT).join("WALKTHROUGH.md"), PathBuf::from);
    let document = Arc::new(Document::read(&path));
    let counts = Arc::new(Counts::default());

    if env::var("WALKTHROUGH").is_ok_and(|asked| claims::print_if_asked(&document, &asked)) {
        return ExitCode::SUCCESS;
    }

    let trials = [markdown::tests(), claims::tests(), claims::trials(&document, &counts)];
    let conclusion =
        libtest_mimic::run(&Arguments::from_args(), trials.into_iter().flatten().collect());
    counts.print();
    conclusion.exit_code()
}
