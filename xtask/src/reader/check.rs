//! Runs the shared tests of a chapter on a crate, and says how far it is.
//!
//! The tests are compiled against the crate by a package in `target/reader`, which stands in the place
//! of the facade: the same tests, programs and `cfg`s, and the crate for `kvs`.

use super::{Outcome, chapter, diff, existing, number, set_chapter};
use crate::compiled::{Compiled, cargo};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// The exercises whose tests know nothing of the answer.
const EXERCISES: [&str; 4] = ["bounded_pool", "sharded_store", "connection_limit", "condvar_queue"];

/// The tests that every stage has.
const TESTS: [&str; 5] = ["beside", "cli", "kv_store", "server", "thread_pool"];

/// How long the tests of one program may take, in seconds: more than any of them waits by itself.
const TIMEOUT: &str = "100";

/// What the tests say of a crate.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    /// By name, whether it passes.
    results: BTreeMap<String, bool>,
    /// What the first one that fails says.
    failure: Option<String>,
}

/// The chapter that each test belongs to.
type Chapters = BTreeMap<String, usize>;

/// Says how far a crate is in a chapter, by default in the one that it was in.
pub(crate) fn check(root: &Path, dir: &str, asked: Option<&str>) -> Outcome {
    let dir = existing(dir)?;
    let current = asked.map_or_else(|| chapter(&dir), number)?;
    let package = Package::write(root, &dir).map_err(|error| error.to_string())?;
    let chapters = chapters(root)?;
    let report = match package.test(current)? {
        Ok(report) => report,
        Err(error) => return Err(package.unfinished(current, &error, &chapters)?),
    };
    let text = told(&report, current, &chapters);
    if let Some(failure) = &report.failure {
        return Err(text + "\n" + failure);
    }
    let same = diff(root, &dir.to_string_lossy(), &current.to_string())?;
    if !same.contains("byte for byte") {
        let dir = dir.display();
        return Ok(text
            + &format!(
                "All tests pass. Your files aren't those of stage {current}: `cargo xtask diff {dir} \
                 {current}` shows where.\nIf that is as you want it, `cargo xtask check {dir} {}` is \
                 next.",
                current + 1
            ));
    }
    set_chapter(&dir, chapter(&dir)?.max(current + 1)).map_err(|error| error.to_string())?;
    Ok(text + &format!("{same}\nChapter {current} is done; the next one is {}.", current + 1))
}

/// The tests of a chapter that fail on a crate that is further than its end. What the command line of
/// one stage refuses, that of the next may take.
pub(super) fn broken(root: &Path, dir: &Path, chapter: usize) -> Result<Vec<String>, String> {
    let package = Package::write(root, dir).map_err(|error| error.to_string())?;
    let results = package.test(chapter)??.results.into_iter();
    let is_broken = |(name, passes): &(String, bool)| !passes && !name.starts_with("cli_");
    Ok(results.filter(is_broken).map(|(name, _)| name).collect())
}

/// The chapter's own tests one by one, and of the others how many there are.
fn told(report: &Report, current: usize, chapters: &Chapters) -> String {
    let of = |name: &str| chapters.get(name).copied().unwrap_or_default();
    let mut text = String::new();
    let mut earlier = (0, 0);
    for (name, passes) in &report.results {
        let is_own = of(name) == current || name.starts_with("check_");
        if is_own || !passes {
            text += &format!("  {} {name}\n", if *passes { "✓" } else { "✗" });
        }
        if !is_own {
            earlier = (earlier.0 + usize::from(*passes), earlier.1 + 1);
        }
    }
    let (passing, all) = earlier;
    format!("chapter {current}\n{text}  {passing} of {all} tests of earlier chapters pass\n")
}

/// The package that tests a crate.
struct Package {
    dir: PathBuf,
}

impl Package {
    fn write(root: &Path, of: &Path) -> io::Result<Package> {
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
        for test in TESTS {
            let path = root.join("tests").join(test).with_extension("rs");
            manifest += &format!("\n[[test]]\nname = {test:?}\npath = {path:?}\n");
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
        Ok(Package { dir })
    }

    fn compile(&self, what: &[&str]) -> Result<Compiled, String> {
        let mut cargo = cargo();
        cargo.current_dir(&self.dir).args(what).args(["--message-format", "json"]);
        Compiled::by(&mut cargo)
    }

    /// Runs the tests of a chapter, or says why they don't compile.
    fn test(&self, chapter: usize) -> Result<Result<Report, String>, String> {
        let stage = format!("stage-{chapter}");
        let compiled = self.compile(&["test", "--no-run", "--tests", "--features", &stage])?;
        if compiled.succeeds().is_err() {
            return Ok(Err(compiled.output));
        }
        let mut report = Report::default();
        let is_test = |path: &&PathBuf| path.parent().is_some_and(|dir| dir.ends_with("deps"));
        for program in compiled.programs.iter().filter(is_test) {
            report.run(program, &self.dir).map_err(|error| error.to_string())?;
        }
        Ok(Ok(report))
    }

    /// What to say when the tests don't compile.
    fn unfinished(&self, current: usize, error: &str, chapters: &Chapters) -> Outcome {
        let of_crate = self.compile(&["check", "--package", "kvs"])?;
        let (first, output) = match of_crate.succeeds() {
            Err(_) => ("Your crate doesn't compile yet.".to_owned(), &of_crate.output),
            Ok(()) => {
                let what = format!("Your crate compiles, but chapter {current} isn't finished:");
                (format!("{what} its tests want what isn't there yet."), &error.to_owned())
            }
        };
        let mut before = String::new();
        if let (Ok(()), Some(earlier)) = (of_crate.succeeds(), current.checked_sub(1))
            && let Ok(report) = self.test(earlier)?
        {
            before = told(&report, current, chapters);
        }
        // The first error only: the others mostly follow from it.
        let shown = output.split("\n\n").next().unwrap_or_default();
        Ok(format!("{before}{first}\n\n{shown}"))
    }
}

/// A test program of the exercises that have an answer in the crate: `exercises/NAME.rs`.
fn exercises(root: &Path, of: &Path) -> Option<String> {
    let answer = |name: &str| of.join("exercises").join(name).with_extension("rs");
    let found: Vec<&str> = EXERCISES.into_iter().filter(|name| answer(name).exists()).collect();
    let mut text = "#![allow(warnings)]\n".to_owned();
    for stage in 1..=4 {
        text += &format!("use kvs as stage_{stage};\n");
    }
    let checks = root.join("tests/exercises/checks");
    for name in &found {
        let check = checks.join(name).with_extension("rs");
        text += &format!("#[path = {:?}]\nmod {name};\n", answer(name));
        text += &format!("#[path = {check:?}]\nmod check_{name};\n");
    }
    (!found.is_empty()).then_some(text)
}

impl Report {
    /// Runs a program of tests. A test that waits for ever fails, and so does one that ends all of them.
    fn run(&mut self, program: &Path, dir: &Path) -> io::Result<()> {
        let mut command = Command::new(program);
        command.current_dir(dir);
        let list = command.arg("--list").output()?;
        let mut tests = Command::new("timeout");
        tests.args(["--kill-after=1", TIMEOUT]).arg(program).current_dir(dir);
        let output = tests.output()?;
        self.hear(&String::from_utf8_lossy(&output.stdout));
        for name in String::from_utf8_lossy(&list.stdout).lines() {
            let Some(name) = name.strip_suffix(": test") else { continue };
            if !self.results.contains_key(name) {
                self.results.insert(name.to_owned(), false);
                let words = String::from_utf8_lossy(&output.stderr);
                let said = format!("{name} didn't come to an end. What was said last:\n{words}");
                self.failure.get_or_insert(said);
            }
        }
        Ok(())
    }

    /// Takes what a test program prints.
    fn hear(&mut self, output: &str) {
        for line in output.lines() {
            let result = line.strip_prefix("test ").and_then(|line| line.split_once(" ... "));
            if let Some((name, passes)) = result {
                self.results.insert(name.to_owned(), !passes.starts_with("FAILED"));
            }
        }
        let first =
            output.split("\n---- ").nth(1).and_then(|rest| rest.split_once(" stdout ----\n"));
        if let (None, Some((name, words))) = (&self.failure, first) {
            let words = words.split("\n\n").next().unwrap_or_default();
            let words = words.split("stack backtrace:").next().unwrap_or_default().trim();
            self.failure = Some(format!("The first that fails is {name}:\n{words}"));
        }
    }
}

/// A test belongs to the chapter of the first stage that has it.
fn chapters(root: &Path) -> Result<Chapters, String> {
    let mut chapters = Chapters::new();
    for test in TESTS {
        let path = root.join("tests").join(test).with_extension("rs");
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let stage = |line: &str| -> Option<usize> {
            line.split_once("stage = \"")?.1.split('"').next()?.parse().ok()
        };
        let of_file = text.lines().find(|line| line.starts_with("#![cfg(")).and_then(stage);
        let (mut of_item, mut module) = (None, String::new());
        for line in text.lines() {
            if line.starts_with("#[cfg(") {
                of_item = stage(line);
            } else if let Some(name) = line.strip_prefix("mod ").filter(|_| line.ends_with('{')) {
                module = format!("{}::", name.trim_end_matches(" {"));
            } else if let Some(name) = line.trim_start().strip_prefix("fn ") {
                let name = name.split(['(', '<', ' ']).next().unwrap_or_default();
                chapters.insert(format!("{module}{name}"), of_item.or(of_file).unwrap_or_default());
            }
            if line == "}" {
                (of_item, module) = (None, String::new());
            }
        }
    }
    Ok(chapters)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n\
        ---- b stdout ----\nthread 'b' panicked at t.rs:3:\nnobody answers\nstack backtrace:\n  0: x\n\n";

    #[test]
    fn what_fails_is_told_with_its_words() {
        let mut report = Report::default();
        report.hear(OUTPUT);
        let words = "The first that fails is b:\nthread 'b' panicked at t.rs:3:\nnobody answers";
        assert_eq!(report.failure.as_deref(), Some(words));
        let chapters = Chapters::from([("b".to_owned(), 4)]);
        let text = "chapter 4\n  ✗ b\n  1 of 1 tests of earlier chapters pass\n";
        assert_eq!(told(&report, 4, &chapters), text);
    }

    #[test]
    fn a_test_belongs_to_the_chapter_whose_stage_has_it_first() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let chapters = chapters(root).unwrap();
        assert_eq!(chapters["naive_thread_pool_spawn_counter"], 1);
        assert_eq!(chapters["shared::concurrent_set"], 2);
        assert_eq!(chapters["shared_queue_thread_pool_panic_task"], 4);
        assert_eq!(chapters["the_protocol_is_as_documented"], 0);
    }
}
