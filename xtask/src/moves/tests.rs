use super::*;
use crate::tree::said;
use std::fs;
use tempfile::TempDir;

/// Writes and types a text; what is wrong with it.
fn told(root: &Path, text: &str) -> Vec<String> {
    match generate(root, "t.md", text) {
        Ok(text) => typed(root, "t.md", &text).err().map(said).unwrap_or_default(),
        Err(problems) => said(problems),
    }
}

const OLD: &str = "//! Counts.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::Write;

/// A counter.
#[derive(Default)]
pub struct Counter {
    hits: Cell<u64>,
}

impl Counter {
    /// One more.
    pub fn hit(&self) -> u64 {
        self.hits.set(self.hits.get() + 1);
        self.hits.get()
    }

    /// A table.
    pub fn table(&self) -> String {
        let mut names: HashMap<u64, &str> = HashMap::new();
        names.insert(0, \"none\");
        names.insert(1, \"one\");
        names.insert(2, \"two\");
        let mut text = String::new();
        for (number, name) in &names {
            writeln!(text, \"{number}: {name}\").ok();
        }
        text
    }
}
";

const NEW: &str = "//! Counts.

mod log;

use std::sync::{Arc, Mutex};

/// A counter that threads share.
#[derive(Clone, Default)]
pub struct Counter {
    hits: Arc<Mutex<u64>>,
}

impl Counter {
    /// One more.
    pub fn hit(&self) -> u64 {
        let mut hits = self.hits.lock().unwrap();
        *hits += 1;
        log::write(*hits);
        *hits
    }
}
";

const LOG: &str = "/// Says how many there are.
pub(crate) fn write(hits: u64) {
    println!(\"{hits}\");
}
";

const MANIFEST: &str = "[workspace.dependencies]
dep = { path = \"dep\", features = [\"a\"] }
";

const CHAPTER: &str = r#"# T

## 2. Threads

<!-- move Cargo.toml: dep -->
<!-- /move -->

<!-- move src/log.rs: write -->
<!-- /move -->

<!-- move src/lib.rs: mod log, Counter, Counter::hit -->
<!-- /move -->

<!-- compiles -->

<!-- try -->
```diff file=src/lib.rs
         *hits += 1;
-        log::write(*hits);
```
```rust runs
let counter = kvs::Counter::default();
println!("{}", counter.hit());
```
```rust file=tests/seen.rs
// seen
```
```toml file=Cargo.toml
[lints.rust]
```
```console
$ tail -n 1 Cargo.toml tests/seen.rs
```
```text
[lints.rust]
…
// seen
```
<!-- /try -->

<!-- move src/lib.rs: * -->
<!-- /move -->
"#;

/// A repository of two stages, and its text with the moves written.
fn fixture() -> (TempDir, String) {
    let root = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("Cargo.toml", MANIFEST);
    write("dep/Cargo.toml", "[package]\nname = \"dep\"\n[features]\na = []\n");
    write("dep/src/lib.rs", "");
    write("stages/1-one/Cargo.toml", "[dependencies]\n");
    write("stages/1-one/src/lib.rs", OLD);
    write("stages/2-two/Cargo.toml", "[dependencies]\ndep.workspace = true\n");
    write("stages/2-two/src/lib.rs", NEW);
    write("stages/2-two/src/log.rs", LOG);
    let text = generate(root.path(), "t.md", CHAPTER).unwrap();
    (root, text)
}

#[test]
fn states_compile_and_detours_end_as_the_text_says() {
    let (root, text) = fixture();
    let replayed = |text: &str| said(replay(root.path(), "t.md", text));
    assert_eq!(replayed(&text), Vec::<String>::new());
    let line = text.lines().position(|line| line.starts_with("<!-- try")).unwrap() + 1;
    for (from, to, wrong) in [
        ("rust runs", "rust aborts", "it runs, and printed\n1"),
        ("// seen\n```\n<", "// no\n```\n<", "no `// no` in its place in\n==> Cargo.toml"),
        ("```diff file=src", "```diff file=s", "s/lib.rs: "),
        (
            "-        log::write(*hits);",
            "-        log",
            "`*hits += 1;` and what follows is nowhere",
        ),
    ] {
        let found = replayed(&text.replacen(from, to, 1));
        let expected = format!("t.md:{line}: {wrong}");
        assert!(found.len() == 1 && found[0].starts_with(&expected), "{found:?}, not {expected}");
    }
    // `hit` still takes the counter for a `Cell`.
    let early = CHAPTER.replacen(", Counter, Counter::hit -->", ", Counter -->", 1);
    let (before, after) = early.split_once("<!-- try").unwrap();
    let early = before.to_owned() + after.split("/try -->").nth(1).unwrap();
    let found = replayed(&generate(root.path(), "t.md", &early).unwrap());
    assert!(found.len() == 1 && found[0].contains("it doesn't compile:\nerror[E"), "{found:?}");
}

#[test]
fn an_item_in_no_move_or_in_two_is_noticed() {
    let (root, text) = fixture();
    for (replacements, expected) in [
        (
            &[("mod log, Counter, ", "mod log, "), ("lib.rs: *", "lib.rs: Counter.docs")][..],
            &["move: `Counter` of", "move: `Counter::table.docs` of", "move: `Counter::table` of"]
                [..],
        ),
        (
            &[("<!-- move Cargo.toml: dep -->", ""), ("<!-- /move -->", "")],
            &["no move: `dep` of `Cargo.toml`"],
        ),
        (
            &[("lib.rs: *", "lib.rs: Counter::hit, *")],
            &["in two moves (see line 22): `Counter::hit` of `src/lib.rs`"],
        ),
        (
            &[
                ("log, Counter, ", "log, Counter.docs, Counter, "),
                ("lib.rs: *", "lib.rs: Counter.docs, *"),
            ],
            &["in two moves (see line 22): `Counter.docs` of `src/lib.rs`"],
        ),
        (
            &[("lib.rs: *", "lib.rs: Counter::hits, *")],
            &["`Counter::hits` of `src/lib.rs` does not change"],
        ),
        (&[("<!-- move Cargo.toml: dep", "<!-- move dep")], &["t.md:5: a move is"]),
        (&[("<!-- /move -->", "")], &["t.md:5: no `<!-- /move -->` ends this"]),
        (&[("## 2. T", "## T")], &["this chapter has no number"; 6]),
    ] {
        let mut wrong = text.clone();
        for (from, to) in replacements {
            wrong = wrong.replacen(from, to, 1);
        }
        let found = told(root.path(), &wrong);
        assert!(
            found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a.contains(b)),
            "{found:#?}"
        );
    }
}

#[test]
fn each_rendered_line_that_is_missing_is_noticed() {
    let (root, text) = fixture();
    let lines: Vec<&str> = text.lines().collect();
    let (mut is_generated, mut noticed) = (false, 0);
    for (at, line) in lines.iter().enumerate() {
        is_generated =
            line.starts_with("<!-- move") || is_generated && !line.starts_with("<!-- /move");
        if !is_generated || !line.starts_with(['+', '-', '$', '[', ' ', '/', 'p']) {
            continue;
        }
        let without = [&lines[..at], &lines[at + 1..]].concat().join("\n");
        // Two lines of context around a change, or at the end of a long deletion, are as good as three.
        let is_end = [lines[at - 1], lines[at + 1]].contains(&"- …");
        let is_context = line.starts_with(' ') && !LOG.contains(line) || is_end;
        let is_noticed = typed(root.path(), "t.md", &without).is_err();
        assert!(is_noticed || is_context, "nobody misses `{line}`");
        noticed += usize::from(is_noticed);
    }
    assert!(noticed > 30, "only {noticed}");
}

#[test]
fn a_part_of_a_diff_that_fits_in_two_places_is_refused() {
    let text = "fn a() {\n    x();\n}\n\nfn b() {\n    x();\n}\n";
    assert!(
        typist::patch(text, &["-    x();", "+    y();"]).unwrap_err().contains("can't tell where")
    );
    let typed = typist::patch(text, &[" fn b() {", " …", "-    x();", "+    y();"]).unwrap();
    assert_eq!(typed, "fn a() {\n    x();\n}\n\nfn b() {\n    y();\n}\n");
    assert!(typist::patch(text, &["-    z();"]).unwrap_err().contains("is nowhere"));
}
