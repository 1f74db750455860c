//! Compiles a block against what this very `cargo test` has built: nothing but rustc is needed.

use crate::expected::blanks;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::SystemTime;
use std::{env, fs};

/// The name of the stage's library.
const LIBRARIES: [(&str, &str); 8] = [
    ("1", "naive_pool"),
    ("2", "shared_engine"),
    ("3", "threaded_server"),
    ("4", "shared_queue"),
    ("5", "rayon_pool"),
    ("6", "rwlock"),
    ("7", "lock_free"),
    ("final", "kvs_final"),
];

/// What the compiler made of a block.
pub struct Compiled {
    pub status: ExitStatus,
    /// The codes of its errors.
    pub codes: BTreeSet<String>,
    /// What it said, a line each, without the line numbers in the margin.
    pub words: Vec<String>,
}

/// Compiles `text` in `dir`, under the name `kvs` the library of `stage`; to a program, if `program`
/// says where.
///
/// # Errors
/// If there is no such stage.
pub fn compile(
    text: &str,
    stage: &str,
    dir: &Path,
    program: Option<&Path>,
) -> Result<Compiled, String> {
    let library = LIBRARIES.iter().find(|(name, _)| *name == stage);
    let (_, library) = library.ok_or_else(|| format!("there is no stage `{stage}`"))?;
    let deps = deps();
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "--crate-name", "block", "--error-format", "json"]);
    rustc.args(["--cap-lints", "allow", "-L"]).arg(format!("dependency={}", deps.display()));
    for name in names(text) {
        let wanted = if name == "kvs" { library } else { name };
        if let Some(file) = newest(&deps, wanted) {
            rustc.arg("--extern").arg(format!("{name}={}", file.display()));
        }
    }
    match program {
        Some(program) => rustc.arg("-o").arg(program),
        None => rustc.args(["--emit", "metadata", "-o"]).arg(dir.join("block.rmeta")),
    };
    // Where a reader would have it: the compiler's words name it.
    fs::create_dir(dir.join("src")).unwrap();
    fs::write(dir.join("src/main.rs"), whole(text)).unwrap();
    let output = rustc.arg("src/main.rs").current_dir(dir).output().map_err(|e| e.to_string())?;

    let (mut codes, mut words) = (BTreeSet::new(), Vec::new());
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            words.push(line.to_owned());
            continue;
        };
        if message["level"] == "error" {
            codes.extend(message["code"]["code"].as_str().map(str::to_owned));
        }
        let rendered = message["rendered"].as_str().unwrap_or_default();
        words.extend(rendered.lines().map(without_number));
    }
    Ok(Compiled { status: output.status, codes, words })
}

/// A whole program; are put into a `main`.
fn whole(text: &str) -> String {
    if text.lines().any(|line| line.starts_with("fn main()")) {
        return text.to_owned();
    }
    format!("fn main() {{\n{text}}}\n")
}

/// A line of the compiler's without the number in its margin, which counts the added line too.
pub fn without_number(line: &str) -> String {
    let line = blanks(line);
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    if rest.starts_with('|') { rest.to_owned() } else { line }
}

/// The names in a text that may be those of a crate.
fn names(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|name| !name.is_empty()).collect()
}

/// Where this test lies, with all that it was linked with.
fn deps() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.parent().unwrap().to_owned()
}

/// The library of that name. Of several, built with other features or from older sources, the last
/// one built is as new as its sources: cargo has built it, or has found it to be so.
fn newest(deps: &Path, name: &str) -> Option<PathBuf> {
    let begin = format!("lib{name}-");
    let files = fs::read_dir(deps).unwrap().filter_map(|entry| {
        let path = entry.ok()?.path();
        let hash = path.file_name()?.to_str()?.strip_prefix(&begin)?.strip_suffix(".rlib")?;
        let age = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
        let built: SystemTime = age(&path).filter(|_| !hash.contains('-'))?;
        Some((built, path))
    });
    files.max().map(|(_, path)| path)
}
