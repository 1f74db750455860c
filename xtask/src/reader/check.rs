//! Runs the shared tests of a chapter on a crate.
//!
//! The tests are compiled against the crate by a package in `target/reader`, which stands in the place
//! of the facade: the same tests, programs and `cfg`s, and the crate for `kvs`.

use super::{Outcome, chapter, diff, existing, number, set_chapter};
use crate::compiled::cargo;
use crate::tree::sources;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Ends tests that wait for ever, which after a minute cargo names: 100 seconds are more than any program of
/// tests waits by itself.
const RUNNER: &str = "target.'cfg(all())'.runner = ['timeout', '--kill-after=1', '100']";

/// Says how far a crate is in a chapter, by default in the one that it was in.
pub(crate) fn check(root: &Path, dir: &str, asked: Option<&str>) -> Outcome {
    let dir = existing(dir)?;
    let current = asked.map_or_else(|| chapter(&dir), number)?;
    test(root, &dir, current, &[])?;
    let same = diff(root, &dir.to_string_lossy(), &current.to_string())?;
    let next = current + 1;
    if !same.contains("byte for byte") {
        let dir = dir.display();
        return Ok(format!(
            "All tests pass. Your files aren't those of stage {current}: `cargo xtask diff {dir} {current}` \
             shows where.\nIf that is as you want it, `cargo xtask check {dir} {next}` is next."
        ));
    }
    set_chapter(&dir, chapter(&dir)?.max(next)).map_err(|error| error.to_string())?;
    Ok(format!("{same}\nChapter {current} is done; the next one is {next}."))
}

/// Runs the tests that a crate has to pass at the end of a chapter, without those whose names have one of
/// `skipped` in them.
///
/// # Errors
/// If one doesn't compile or doesn't pass; which, cargo has printed.
pub(super) fn test(root: &Path, of: &Path, chapter: usize, skipped: &[&str]) -> Result<(), String> {
    let dir = write(root, of).map_err(|error| error.to_string())?;
    let mut cargo = cargo();
    cargo.current_dir(dir).args(["test", "--no-fail-fast", "--test", "*", "--config", RUNNER]);
    cargo.args(["--features", &format!("stage-{chapter}"), "--"]);
    let status = cargo.args(skipped.iter().flat_map(|name| ["--skip", *name])).status();
    let passes = status.map_err(|error| error.to_string())?.success();
    let unfinished = || format!("chapter {chapter} isn't finished: the first error above says why");
    passes.then_some(()).ok_or_else(unfinished)
}

/// Writes the package that tests a crate, and says where.
fn write(root: &Path, of: &Path) -> io::Result<PathBuf> {
    let dir = root.join("target/reader");
    fs::create_dir_all(&dir)?;
    let stages = root.join("stages");
    let mut manifest = format!(
        "[package]\nname = \"reader\"\nversion = {:?}\nedition = \"2024\"\nbuild = {:?}\n\n[workspace]\n\n\
         [dependencies]\nkvs = {{ path = {of:?} }}\n\n[dev-dependencies]\n\
         kvs-test-kit = {{ path = {:?} }}\n\
         kvs-common = {{ path = {:?}, features = [\"testing\"] }}\nassert_cmd = \"2\"\npredicates = \"3\"\n\
         tempfile = \"3\"\n\n[features]\n",
        env!("CARGO_PKG_VERSION"),
        stages.join("build.rs"),
        root.join("tests/kit"),
        stages.join("common"),
    );
    for stage in 0..=super::LAST {
        manifest += &format!("stage-{stage} = []\n");
    }
    for program in ["kvs-server", "kvs-client"] {
        let path = stages.join("bin").join(program).with_extension("rs");
        manifest += &format!("\n[[bin]]\nname = {program:?}\npath = {path:?}\n");
    }
    let mut tests: Vec<_> =
        fs::read_dir(root.join("tests"))?.flatten().map(|test| test.path()).collect();
    tests.sort();
    for path in tests.iter().filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        // That one asks the clients of all stages.
        if name != "interop" {
            manifest += &format!("\n[[test]]\nname = {name:?}\npath = {path:?}\n");
        }
    }
    if let Some(exercises) = exercises(root, of) {
        manifest += "\n[[test]]\nname = \"exercises\"\npath = \"exercises.rs\"\n";
        fs::write(dir.join("exercises.rs"), exercises)?;
    }
    // One that is as it was is left alone, or everything would be compiled anew.
    if fs::read_to_string(dir.join("Cargo.toml")).ok().as_ref() != Some(&manifest) {
        eprintln!("building the tests for this crate: minutes, once");
        fs::write(dir.join("Cargo.toml"), manifest)?;
        fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock"))?;
    }
    Ok(dir)
}

/// A test program of the exercises that have an answer in the crate, `exercises/NAME.rs`, and tests that know
/// nothing of it.
fn exercises(root: &Path, of: &Path) -> Option<String> {
    let mut text = "#![allow(warnings)]\n".to_owned();
    for stage in 1..=4 {
        text += &format!("use kvs as stage_{stage};\n");
    }
    let mut found = 0;
    for (check, _) in sources(&root.join("tests/exercises/checks")) {
        let name = check.file_stem().unwrap_or_default().to_string_lossy();
        let answer = of.join(format!("exercises/{name}.rs"));
        if answer.exists() {
            text += &format!(
                "#[path = {answer:?}]\nmod {name};\n#[path = {check:?}]\nmod check_{name};\n"
            );
            found += 1;
        }
    }
    (found > 0).then_some(text)
}
