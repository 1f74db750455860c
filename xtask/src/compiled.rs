//! What rustc and cargo say, in JSON, of what they were to compile; and the stages, built as a reader builds them.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What a compiler made of a program.
#[derive(Default)]
pub(crate) struct Compiled {
    is_good: bool,
    /// The codes of its errors.
    pub(crate) codes: BTreeSet<String>,
    /// Its errors, in words.
    pub(crate) output: String,
    /// The library `kvs`.
    pub(crate) library: Option<PathBuf>,
    pub(crate) programs: Vec<PathBuf>,
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

impl Compiled {
    /// Runs a compiler that prints its messages as JSON.
    ///
    /// # Errors
    /// If it can't be started.
    pub(crate) fn by(compiler: &mut Command) -> Result<Compiled, String> {
        let output = compiler.output().map_err(|error| error.to_string())?;
        let mut compiled = Compiled { is_good: output.status.success(), ..Compiled::default() };
        // Cargo says it to stdout, and rustc to stderr.
        let stderr = String::from_utf8_lossy(&output.stderr);
        for line in String::from_utf8_lossy(&output.stdout).lines().chain(stderr.lines()) {
            compiled.hear(&serde_json::from_str(line).unwrap_or_default());
        }
        if compiled.output.is_empty() {
            compiled.output = stderr.into_owned();
        }
        Ok(compiled)
    }

    fn hear(&mut self, said: &Value) {
        let message = if said["message"].is_object() { &said["message"] } else { said };
        if message["level"] == "error" {
            self.codes.extend(message["code"]["code"].as_str().map(str::to_owned));
            self.output += message["rendered"].as_str().unwrap_or_default();
        }
        if let Some(program) = said["executable"].as_str() {
            self.programs.push(PathBuf::from(program));
        } else if said["target"]["name"] == "kvs" && said["target"]["kind"][0] == "lib" {
            // The one beside the metadata is not overwritten by the next stage's.
            let files = said["filenames"].as_array().into_iter().flatten();
            let mut files = files.filter_map(Value::as_str).map(PathBuf::from);
            let metadata = files.find(|file| file.extension().is_some_and(|end| end == "rmeta"));
            self.library = metadata.map(|file| file.with_extension("rlib"));
        }
    }

    pub(crate) fn succeeds(&self) -> Result<(), String> {
        let error = || format!("it doesn't compile:\n{}", self.output);
        self.is_good.then_some(()).ok_or_else(error)
    }
}

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
pub(crate) fn build_stage(root: &Path, stage: &str) -> Result<Stage, String> {
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
