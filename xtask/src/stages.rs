//! The stages, built as a reader builds them.

use crate::compiled::{Compiled, cargo};
use std::fs;
use std::path::{Path, PathBuf};

/// A stage that is built.
pub(crate) struct Stage {
    /// What has `kvs-server` and `kvs-client`, or `kvs` too for `final`.
    pub(crate) programs: PathBuf,
    /// The library `kvs`, beside those that it needs.
    pub(crate) library: PathBuf,
}

/// Builds a stage, `1` to `7` or `final`. The next one takes the place of its programs, so they are
/// copied.
///
/// # Errors
/// If that fails.
pub(crate) fn build(root: &Path, stage: &str) -> Result<Stage, String> {
    let mut cargo = cargo();
    cargo.current_dir(root).args(["build", "--quiet", "--lib", "--bins", "--package", "kvs"]);
    match stage {
        "final" => cargo.args(["--package", "final"]),
        number => cargo.args(["--features", &format!("stage-{number}")]),
    };
    let built = Compiled::by(cargo.args(["--message-format", "json"]))?;
    built.succeeds().map_err(|error| format!("stage {stage}: {error}"))?;
    let library = built.library.ok_or("cargo names no library `kvs`")?;
    let dependencies = library.parent().ok_or("the library is in no directory")?;
    let programs = dependencies.with_file_name("stages").join(stage);
    let copy = || {
        fs::create_dir_all(&programs)?;
        for program in &built.programs {
            let copy = programs.join(program.file_name().unwrap_or_default());
            // One that still runs can't be overwritten.
            let _ = fs::remove_file(&copy);
            fs::copy(program, copy)?;
        }
        Ok::<_, std::io::Error>(())
    };
    copy().map_err(|error| error.to_string())?;
    Ok(Stage { programs, library })
}
