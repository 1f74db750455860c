//! The rounds: every workload on every engine in its turn, each in a process of its own.

use crate::Outcome;
use crate::conditions::{Conditions, Record};
use crate::engines::Engine;
use crate::workloads::{Figures, Task, Work};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// What is to be measured.
pub(crate) struct Plan {
    pub(crate) keys: u64,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    pub(crate) works: Vec<Work>,
    pub(crate) engines: Vec<Engine>,
    /// Where all samples go, after those that are there.
    pub(crate) json: Option<PathBuf>,
}

/// What one run of a workload on an engine found.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) work: Work,
    pub(crate) engine: Engine,
    pub(crate) figures: Figures,
}

/// Measures, and says on stderr what.
pub(crate) fn run(plan: &Plan) -> Outcome<Record<Sample>> {
    let mut record = Record::new(Conditions::here(plan.keys, plan.seconds, BTreeMap::new())?)?;
    if let Some(path) = &plan.json {
        record = record.continued(path)?;
    }
    for round in 1..=plan.rounds {
        for &work in &plan.works {
            for &engine in plan.engines.iter().filter(|&&engine| work.runs_on(engine)) {
                let what = format!("{} on {}", work.name(), engine.name());
                eprintln!("round {round}: {what}");
                let figures = measure(plan, work, engine).map_err(|e| format!("{what}: {e}"))?;
                record.samples.push(Sample { work, engine, figures });
                if let Some(path) = &plan.json {
                    record.write(path)?;
                }
            }
        }
    }
    if record.samples.is_empty() {
        return Err("none of these workloads runs on any of these engines".into());
    }
    Ok(record)
}

fn measure(plan: &Plan, work: Work, engine: Engine) -> Outcome<Figures> {
    let dir = TempDir::new()?;
    let (keys, seconds) = (plan.keys, plan.seconds);
    let task = Task { work, engine, reopen: false, keys, seconds, dir: dir.path().to_path_buf() };
    let figures = if work == Work::Load {
        let mut loaded = figures_then_kill(&task)?;
        loaded.insert("disk".to_owned(), disk_bytes(dir.path())? as f64 / keys as f64);
        loaded.extend(figures_at_end(&Task { reopen: true, ..task })?);
        loaded
    } else {
        figures_at_end(&task)?
    };
    dir.close()?;
    Ok(figures)
}

/// The first line that the process prints, and the process.
fn start(task: &Task) -> Outcome<(Child, Option<Figures>)> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("task").arg(serde_json::to_string(task)?);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let output = child.stdout.as_mut().ok_or("the process has no output")?;
    BufReader::new(output).read_line(&mut line)?;
    let figures = if line.is_empty() { None } else { Some(serde_json::from_str(&line)?) };
    Ok((child, figures))
}

fn figures_at_end(task: &Task) -> Outcome<Figures> {
    let (mut child, figures) = start(task)?;
    let status = child.wait()?;
    match figures {
        Some(figures) if status.success() => Ok(figures),
        _ => Err(format!("the process that measured it ended with {status}").into()),
    }
}

/// As `kill -9` does it, and without a moment's notice.
fn figures_then_kill(task: &Task) -> Outcome<Figures> {
    let (mut child, figures) = start(task)?;
    child.kill()?;
    let status = child.wait()?;
    figures.ok_or_else(|| format!("the process that loaded it ended with {status}").into())
}

/// What the file system has given to the files in a directory. Not their length: files may have
/// holes.
fn disk_bytes(dir: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let (metadata, path) = entry.and_then(|e| Ok((e.metadata()?, e.path())))?;
        bytes += if metadata.is_dir() { disk_bytes(&path)? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
