//! The rounds: every workload on every server in its turn.

use super::Server;
use super::messages::KEYS;
use super::workloads::{Bench, Work};
use crate::Outcome;
use crate::conditions::{Conditions, Record};
use crate::workloads::Figures;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is to be measured.
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    pub(crate) works: Vec<Work>,
    pub(crate) servers: Vec<Server>,
    /// How many idle connections, if so many files may be open.
    pub(crate) idle: u64,
    /// The program `kvs`.
    pub(crate) kvs: PathBuf,
    /// Where all samples go, after those that are there.
    pub(crate) json: Option<PathBuf>,
}

/// What one run of a workload on a server found.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) work: Work,
    pub(crate) server: Server,
    pub(crate) figures: Figures,
}

/// Measures, and says on stderr what, and what not.
pub(crate) fn run(plan: Plan) -> Outcome<Record<Sample>> {
    let (servers, versions) = installed(&plan)?;
    let works = possible(plan.works);
    let (idle, connections) = open_files(plan.idle)?;
    let mut record = Record::new(Conditions::here(KEYS, plan.seconds, versions)?)?;
    if let Some(path) = &plan.json {
        record = record.continued(path)?;
    }
    let bench = Bench { kvs: plan.kvs, seconds: plan.seconds, idle, connections };
    for round in 1..=plan.rounds {
        for &work in &works {
            for &server in &servers {
                let what = format!("{} on {}", work.name(), server.name());
                eprintln!("round {round}: {what}");
                let figures = bench.figures(work, server).map_err(|e| format!("{what}: {e}"))?;
                record.samples.push(Sample { work, server, figures });
                if let Some(path) = &plan.json {
                    record.write(path)?;
                }
            }
        }
    }
    if record.samples.is_empty() {
        return Err("none of these servers and workloads can be measured here".into());
    }
    Ok(record)
}

/// Those of the chosen servers that are there, and the versions of all that are there and are not
/// ours: a record may be continued with a choice of them.
fn installed(plan: &Plan) -> Outcome<(Vec<Server>, BTreeMap<String, String>)> {
    let (mut servers, mut versions) = (Vec::new(), BTreeMap::new());
    for &server in Server::ALL {
        let chosen = plan.servers.contains(&server);
        if chosen && server.is_ours() && !plan.kvs.exists() {
            let kvs = plan.kvs.display();
            return Err(format!(
                "there is no program {kvs}; `cargo build --release -p final` at the root builds \
                 it, and `--kvs` says where another one is"
            )
            .into());
        }
        match server.version() {
            Ok(version) => {
                versions.extend(version.map(|version| (server.name().to_owned(), version)));
                servers.extend(chosen.then_some(server));
            }
            Err(error) if chosen => eprintln!("{} is left out: {error}", server.name()),
            Err(_) => {}
        }
    }
    Ok((servers, versions))
}

fn possible(works: Vec<Work>) -> Vec<Work> {
    let possible = |work: &Work| {
        let possible = work.possible();
        if let Err(error) = &possible {
            eprintln!("{} is left out: {error}", work.name());
        }
        possible.is_ok()
    };
    works.into_iter().filter(possible).collect()
}

/// How many idle connections a process can hold, and how many a server can take. Both inherit our
/// limit of open files, which is made as high as it may be.
fn open_files(idle: u64) -> Outcome<(u64, u64)> {
    /// Those that a server has open besides its connections, and somewhat more.
    const OTHERS: u64 = 128;
    /// The connections of the clients.
    const ACTIVE: u64 = 1000;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    let room = limit.maximum.unwrap_or(u64::MAX).saturating_sub(OTHERS + ACTIVE);
    if room < idle {
        eprintln!("{room} idle connections instead of {idle}: no more files may be open here");
    }
    let idle = idle.min(room);
    Ok((idle, idle + ACTIVE + OTHERS / 2))
}
