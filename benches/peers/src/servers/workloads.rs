//! What is measured, each on a server that was started for it.

use super::calls;
use super::idle::Idle;
use super::messages::Kind;
use super::process::{Process, free_addr};
use super::{Server, version};
use crate::Outcome;
use crate::load::{Exchange, Load, Measured};
use crate::usage::Usage;
use crate::workloads::Figures;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tempfile::TempDir;

/// What is measured together, on the same server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    Get16,
    Get64,
    Get256,
    Get1000,
    Pipeline16,
    Pipeline64,
    Connect16,
    Connect64,
    Set,
    Idle,
    Calls,
}

/// What clients do in it.
struct Shape {
    kind: Kind,
    clients: usize,
    /// Requests in flight on each connection.
    depth: usize,
    reconnect: bool,
}

impl Work {
    /// All, in the order in which they are measured.
    pub(crate) const ALL: [Work; 11] = [
        Work::Get16,
        Work::Get64,
        Work::Get256,
        Work::Get1000,
        Work::Pipeline16,
        Work::Pipeline64,
        Work::Connect16,
        Work::Connect64,
        Work::Set,
        Work::Idle,
        Work::Calls,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Work::Get16 => "get16",
            Work::Get64 => "get64",
            Work::Get256 => "get256",
            Work::Get1000 => "get1000",
            Work::Pipeline16 => "pipeline16",
            Work::Pipeline64 => "pipeline64",
            Work::Connect16 => "connect16",
            Work::Connect64 => "connect64",
            Work::Set => "set",
            Work::Idle => "idle",
            Work::Calls => "calls",
        }
    }

    /// # Errors
    /// In words, if a program is not there that this needs.
    pub(super) fn possible(self) -> Outcome<()> {
        if self == Work::Calls { version("strace", "-V").map(drop) } else { Ok(()) }
    }

    fn shape(self) -> Shape {
        let get = |clients| Shape { kind: Kind::Get, clients, depth: 1, reconnect: false };
        match self {
            Work::Get16 | Work::Idle | Work::Calls => get(16),
            Work::Get64 => get(64),
            Work::Get256 => get(256),
            Work::Get1000 => get(1000),
            Work::Pipeline16 => Shape { depth: 16, ..get(16) },
            Work::Pipeline64 => Shape { depth: 64, ..get(16) },
            Work::Connect16 => Shape { reconnect: true, ..get(16) },
            Work::Connect64 => Shape { reconnect: true, ..get(64) },
            Work::Set => Shape { kind: Kind::Set, ..get(16) },
        }
    }
}

/// What is the same for all measurements of a run.
pub(crate) struct Bench {
    /// The program `kvs`.
    pub(crate) kvs: PathBuf,
    pub(crate) seconds: f64,
    /// Idle connections, and connections that a server must be able to have.
    pub(crate) idle: u64,
    pub(crate) connections: u64,
}

impl Bench {
    pub(crate) fn figures(&self, work: Work, server: Server) -> Outcome<Figures> {
        let shape = work.shape();
        let exchanges = server.protocol().exchanges(shape.kind, shape.depth);
        if work == Work::Calls {
            return self.calls(server, &shape, &exchanges);
        }
        let dir = TempDir::new()?;
        let process = self.start(server, &dir, false)?;
        let measure = || self.measure(&process, server, &shape, &exchanges);
        if work != Work::Idle {
            return measure();
        }
        let without = measure()?;
        let idle = Idle::start(process.addr, self.idle)?;
        let mut figures = measure()?;
        drop(idle);
        figures.insert("with : without".to_owned(), figures["cpu"] / without["cpu"]);
        figures.insert("without : with".to_owned(), without["rate"] / figures["rate"]);
        figures.insert("idle".to_owned(), self.idle as f64);
        let without = without.into_iter();
        figures.extend(without.map(|(name, figure)| (format!("{name}, without"), figure)));
        Ok(figures)
    }

    /// A server that has all keys.
    fn start(&self, server: Server, dir: &TempDir, counted: bool) -> Outcome<Process> {
        let addr = free_addr()?;
        let mut command = server.command(&self.kvs, addr, dir.path(), self.connections)?;
        if counted {
            command = calls::counted(&command, &dir.path().join("calls"));
        }
        Process::start(command, addr, dir.path(), &server.protocol().preload())
    }

    /// Rates in thousands a second, times in microseconds.
    fn measure(
        &self,
        process: &Process,
        server: Server,
        shape: &Shape,
        exchanges: &[Exchange],
    ) -> Outcome<Figures> {
        let look = || Usage::of(process.id());
        let Measured { seen, seconds, before, after } =
            load(process, shape, exchanges).measure(self.seconds, look)?;
        let count = seen.latencies.len();
        let requests = (count * shape.depth) as f64;
        let percentile = |thousandth| f64::from(seen.latencies[count * thousandth / 1000]) / 1000.0;
        let mut figures: Figures = [
            ("rate".to_owned(), requests / seconds / 1000.0),
            ("cpu".to_owned(), (after.cpu - before.cpu) * 1e6 / requests),
            ("p50".to_owned(), percentile(500)),
            ("p99".to_owned(), percentile(990)),
            ("p999".to_owned(), percentile(999)),
        ]
        .into();
        // A thread takes its count along when it ends, and there each job has its own.
        if server != Server::KvsNaive {
            let switches = after.switches.since(before.switches);
            let all = switches.voluntary + switches.forced;
            figures.insert("switches".to_owned(), all as f64 / requests);
        }
        Ok(figures)
    }

    /// The calls of two servers, of which only one has clients: what they share is no request's.
    fn calls(&self, server: Server, shape: &Shape, exchanges: &[Exchange]) -> Outcome<Figures> {
        let mut requests = 0;
        let mut count = |with_clients| {
            let dir = TempDir::new()?;
            let process = self.start(server, &dir, true)?;
            if with_clients {
                let all = load(&process, shape, exchanges).measure(self.seconds, || Ok(()))?;
                requests = all.seen.exchanges * shape.depth as u64;
            }
            drop(process);
            calls::read(&dir.path().join("calls"))
        };
        let without = count(false)?;
        let calls = count(true)?.saturating_sub(without);
        Ok([("calls".to_owned(), calls as f64 / requests as f64)].into())
    }
}

fn load<'a>(process: &Process, shape: &Shape, exchanges: &'a [Exchange]) -> Load<'a> {
    let &Shape { clients, reconnect, .. } = shape;
    Load { addr: process.addr, exchanges, clients, reconnect }
}
