//! The reader's own crate: laid outside of the repository, checked from within it.
//!
//! | command | what it does |
//! |---|---|
//! | `cargo xtask start DIR` | puts stage 0 into a new directory, as a crate named `kvs` |
//! | `cargo xtask check DIR [N]` | runs the shared tests of chapter N on it, by default of the one that it is in |
//! | `cargo xtask diff DIR N` | shows how its sources differ from those of stage N |
//! | `cargo xtask catch-up DIR N` | puts stage N in their place, and keeps them beside it |
//! | `cargo xtask follow DIR` | does all that a reader does: starts, types every chapter, checks |
//!
//! The crate depends on `stages/common`, by its path, and on nothing else of the repository. Which
//! chapter it is in is written in its file `.chapter`. The tests are compiled against it by a package in
//! `target/reader`, which stands in the place of the facade: the same tests, programs and `cfg`s, and the crate
//! for `kvs`.

use crate::compiled::cargo;
use crate::moves;
use crate::moves::package::{self, Package};
use crate::tree::sources;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// What came of a command: what it prints, or what is wrong.
pub(crate) type Outcome = Result<String, String>;

/// The last stage that a crate can be brought to.
const LAST: usize = 7;

/// Lays stage 0 into a directory that is new, or empty.
pub(crate) fn start(root: &Path, dir: &str) -> Outcome {
    let dir = new_dir(root, dir)?;
    lay(root, &dir, 0).map_err(|error| format!("{}: {error}", dir.display()))?;
    let dir = dir.display();
    Ok(format!(
        "{dir} is a crate of yours, with the program of chapter 0.\nGo there, and type along with \
         WALKTHROUGH.md from chapter 1 on; `cargo xtask check {dir}`, here, says where you are."
    ))
}

/// How a crate differs from a stage.
pub(crate) fn diff(root: &Path, dir: &str, stage: &str) -> Outcome {
    let (dir, stage) = (existing(dir)?, number(stage)?);
    let mut diff = Command::new("diff");
    // The programs that come with a crate are no part of a stage, and others are for trying something.
    diff.args(["-ruN", "--exclude=bin"]).arg(dir.join("src"));
    let diff = diff.arg(root.join(package::dir(root, stage)?).join("src")).output();
    let diff = diff.map_err(|error| format!("diff: {error}"))?;
    match diff.status.code() {
        Some(0) => Ok(format!("Your files are those of stage {stage}, byte for byte.")),
        Some(1) => Ok(String::from_utf8_lossy(&diff.stdout).trim_end().to_owned()),
        _ => Err(String::from_utf8_lossy(&diff.stderr).into_owned()),
    }
}

/// Puts a stage in the place of what is there.
pub(crate) fn catch_up(root: &Path, dir: &str, stage: &str) -> Outcome {
    let (dir, stage) = (existing(dir)?, number(stage)?);
    package_of(root, stage)?;
    let mut beside = (1..).map(|number| dir.join(format!("before-{number}")));
    let beside = beside.find(|path| !path.exists()).unwrap_or_default();
    let change = || {
        fs::create_dir(&beside)?;
        for name in ["src", "Cargo.toml"] {
            fs::rename(dir.join(name), beside.join(name))?;
        }
        lay(root, &dir, stage)
    };
    change().map_err(|error| format!("{}: {error}", dir.display()))?;
    let name = beside.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(format!("This is stage {stage} now. Your own files are in {name}/."))
}

/// Does what a reader of a text does: starts, types what each chapter shows, and has it checked.
pub(crate) fn follow(root: &Path, dir: &str, file: &str) -> Outcome {
    let text = fs::read_to_string(root.join(file)).map_err(|error| error.to_string())?;
    let mut said = start(root, dir)?;
    test(root, Path::new(dir), 0, &[])?;
    for end in moves::typed(root, file, &text).map_err(|wrong| format!("{wrong:?}"))?.ends {
        write(root, Path::new(dir), &end.package).map_err(|error| error.to_string())?;
        if !end.is_stage {
            // Between two stages nothing of what the first one could do is broken; but what the command line
            // of one stage refuses, that of the next may take.
            test(root, Path::new(dir), end.chapter - 1, &["cli_"])?;
            continue;
        }
        let checked = check(root, dir, None)?;
        if !checked.contains("byte for byte") {
            return Err(checked);
        }
        said += &format!("\n\n{checked}");
    }
    Ok(said)
}

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
fn test(root: &Path, of: &Path, chapter: usize, skipped: &[&str]) -> Result<(), String> {
    let dir = write_tests(root, of).map_err(|error| error.to_string())?;
    let mut cargo = cargo();
    cargo.current_dir(dir).args(["test", "--no-fail-fast", "--test", "*", "--config", RUNNER]);
    cargo.args(["--features", &format!("stage-{chapter}"), "--"]);
    let status = cargo.args(skipped.iter().flat_map(|name| ["--skip", *name])).status();
    let passes = status.map_err(|error| error.to_string())?.success();
    let unfinished = || format!("chapter {chapter} isn't finished: the first error above says why");
    passes.then_some(()).ok_or_else(unfinished)
}

/// Writes the package that tests a crate, and says where.
fn write_tests(root: &Path, of: &Path) -> io::Result<PathBuf> {
    let dir = root.join("target/reader");
    fs::create_dir_all(&dir)?;
    let mut manifest = include_str!("reader.toml")
        .replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{root}", &root.to_string_lossy())
        .replace("{crate}", &of.to_string_lossy());
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

/// Writes a stage as a crate of its own.
fn lay(root: &Path, dir: &Path, stage: usize) -> io::Result<()> {
    let package = package_of(root, stage).map_err(io::Error::other)?;
    write(root, dir, &package)?;
    set_chapter(dir, stage + 1)
}

/// Writes a package, with the programs that every stage has.
fn write(root: &Path, dir: &Path, package: &Package) -> io::Result<()> {
    package.write(root, dir)?;
    fs::create_dir_all(dir.join("src/bin"))?;
    for program in ["kvs-server.rs", "kvs-client.rs"] {
        let program = Path::new("bin").join(program);
        fs::copy(root.join("stages").join(&program), dir.join("src").join(program))?;
    }
    Ok(())
}

fn package_of(root: &Path, stage: usize) -> Result<Package, String> {
    Package::read(root, &package::dir(root, stage)?)
}

fn new_dir(root: &Path, dir: &str) -> Result<PathBuf, String> {
    let make = || {
        fs::create_dir_all(dir)?;
        let path = fs::canonicalize(dir)?;
        Ok::<_, io::Error>((fs::read_dir(&path)?.next().is_none(), path))
    };
    match make().map_err(|error| format!("{dir}: {error}"))? {
        (_, path) if path.starts_with(root) => Err(format!("{dir} is inside of the repository")),
        (false, _) => Err(format!("{dir} isn't empty")),
        (true, path) => Ok(path),
    }
}

/// A crate that `start` has made.
fn existing(dir: &str) -> Result<PathBuf, String> {
    let path = fs::canonicalize(dir).map_err(|error| format!("{dir}: {error}"))?;
    match path.join(CHAPTER).exists() {
        true => Ok(path),
        false => Err(format!("{dir} is no crate that `cargo xtask start` has made")),
    }
}

fn number(stage: &str) -> Result<usize, String> {
    let number = stage.parse().ok().filter(|number| *number <= LAST);
    number.ok_or_else(|| format!("`{stage}` is no stage; there are 0 to {LAST}"))
}

/// The file that says which chapter the crate is in.
const CHAPTER: &str = ".chapter";

fn chapter(dir: &Path) -> Result<usize, String> {
    let text = fs::read_to_string(dir.join(CHAPTER)).map_err(|error| error.to_string())?;
    number(text.trim())
}

fn set_chapter(dir: &Path, chapter: usize) -> io::Result<()> {
    fs::write(dir.join(CHAPTER), format!("{}\n", chapter.min(LAST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_laid_into_a_directory_and_another_one_over_it() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("mine");
        let dir = dir.to_str().unwrap();
        start(root, dir).unwrap();
        assert!(start(root, dir).unwrap_err().contains("isn't empty"));
        assert!(start(root, &root.join("target/mine").to_string_lossy()).is_err());
        assert!(diff(root, dir, "0").unwrap().contains("byte for byte"));

        let own = Path::new(dir).join("src/engine.rs");
        fs::write(&own, "mine\n").unwrap();
        assert!(diff(root, dir, "0").unwrap().contains("-mine"));
        catch_up(root, dir, "4").unwrap();
        assert!(diff(root, dir, "4").unwrap().contains("byte for byte"));
        assert_eq!(chapter(Path::new(dir)), Ok(5));
        let kept = Path::new(dir).join("before-1/src/engine.rs");
        assert_eq!(fs::read_to_string(kept).unwrap(), "mine\n");
        catch_up(root, dir, "0").unwrap();
        assert!(Path::new(dir).join("before-2/src/thread_pool").exists());
        assert!(catch_up(root, dir, "8").is_err() && catch_up(root, "/", "1").is_err());
    }
}
