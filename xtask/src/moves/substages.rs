//! Runs the tests that the stages share on each sub-stage: its package takes the place of the stage's.

use super::compile::write;
use super::package::Package;
use crate::compiled::cargo;
use crate::problem::Problem;
use std::fs;
use std::path::Path;

/// The sub-stages that don't pass.
pub(super) fn test(root: &Path) -> Vec<Problem> {
    let dirs = |dir: &Path| -> Vec<String> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    };
    let mut problems = Vec::new();
    for stage in dirs(&root.join("stages")) {
        let stage = format!("stages/{stage}");
        for step in dirs(&root.join(&stage).join("steps")) {
            let step = format!("{stage}/steps/{step}");
            let wrong = test_step(root, &stage, &step).err();
            problems.extend(wrong.map(|wrong| Problem::new(&step, 1, wrong)));
        }
    }
    problems
}

fn test_step(root: &Path, stage: &str, step: &str) -> Result<(), String> {
    let (number, _) = stage.trim_start_matches("stages/").split_once('-').unwrap_or_default();
    let manifest = fs::read_to_string(root.join(stage).join("Cargo.toml"));
    let manifest: toml::Table =
        manifest.unwrap_or_default().parse().map_err(|error| format!("{error}"))?;
    let name = manifest.get("package").and_then(|package| package.get("name"));
    let name = name.and_then(|name| name.as_str()).ok_or(format!("{stage} has no name"))?;
    let dir = root.join("target").join(step);
    let package = Package::read_step(root, stage, step)?;
    write(root, &dir, name, &package).map_err(|error| error.to_string())?;

    let mut cargo = cargo();
    cargo.current_dir(root).args(["test", "--quiet", "--offline", "--features"]);
    cargo.arg(format!("stage-{number}")).arg("--config").arg(format!("paths = [{dir:?}]"));
    let output = cargo.output().map_err(|error| error.to_string())?;
    let said = || String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let passed = output.status.success().then_some(());
    passed.ok_or_else(|| format!("the tests of stage {number} fail on it\n{}", said()))
}
