//! The stages, built as a reader builds them.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// A stage that is built.
pub(crate) struct Stage {
    /// What has `kvs-server` and `kvs-client`, or `kvs` too for `final`.
    pub(crate) programs: PathBuf,
    /// The library `kvs`.
    pub(crate) library: PathBuf,
    /// Where the libraries are that it needs.
    pub(crate) dependencies: PathBuf,
}

/// Builds a stage, `1` to `7` or `final`. The next one takes the place of its programs, so they are
/// copied.
///
/// # Errors
/// If that fails; why, cargo has printed.
pub(crate) fn build(root: &Path, stage: &str) -> Result<Stage, String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["build", "--quiet", "--lib", "--bins", "--message-format"]);
    cargo.args(["json-render-diagnostics", "--package", "kvs"]);
    match stage {
        "final" => cargo.args(["--package", "final"]),
        number => cargo.args(["--features", &format!("stage-{number}")]),
    };
    let output = cargo.stderr(Stdio::inherit()).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("stage {stage} doesn't build"));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let (mut built, mut library) = (Vec::new(), None);
    for message in messages {
        let files = message["filenames"].as_array().into_iter().flatten();
        let mut files = files.filter_map(Value::as_str).map(PathBuf::from);
        if let Some(program) = message["executable"].as_str() {
            built.push(PathBuf::from(program));
        } else if message["target"]["name"] == "kvs" && message["target"]["kind"][0] == "lib" {
            // The one beside the metadata is not overwritten by the next stage's.
            let metadata = files.find(|file| file.extension().is_some_and(|end| end == "rmeta"));
            library = metadata.map(|file| file.with_extension("rlib"));
        }
    }
    let library = library.ok_or("cargo names no library `kvs`")?;
    let dependencies = library.parent().ok_or("the library is in no directory")?.to_owned();
    let programs = dependencies.with_file_name("stages").join(stage);
    let copy = || {
        fs::create_dir_all(&programs)?;
        for program in &built {
            let copy = programs.join(program.file_name().unwrap_or_default());
            // One that still runs can't be overwritten.
            let _ = fs::remove_file(&copy);
            fs::copy(program, copy)?;
        }
        Ok::<_, std::io::Error>(())
    };
    copy().map_err(|error| error.to_string())?;
    Ok(Stage { programs, library, dependencies })
}
