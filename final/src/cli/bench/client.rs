use super::load::{Load, Op};
use super::report::Report;
use crate::cli::args::BenchArgs;
use crate::cli::client::Remote;
use crate::cli::outcome::Outcome;
use crate::{KvsClient, KvsError, Pending, Result};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long it waits before it asks for a connection again.
const RETRY: Duration = Duration::from_millis(10);

/// What clients have seen so far. Locked for a moment, by the client and by who shows the progress.
pub(super) type SharedReport = Arc<Mutex<Report>>;

/// A client that panicked has not left it half-changed: what is called under the lock does not panic.
pub(super) fn lock(report: &SharedReport) -> MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of the clients: a thread, a connection, and its share of the requests.
pub(super) struct BenchClient {
    remote: Remote,
    client: KvsClient,
    connect_each: bool,
    depth: usize,
    requests: u64,
    load: Arc<Load>,
    random: SmallRng,
    report: SharedReport,
}

/// A request that is under way.
struct Sent {
    since: Instant,
    what: Wanted,
}

enum Wanted {
    Read(u32, Pending<Option<String>>),
    Write(Pending<()>),
}

impl BenchClient {
    pub(super) fn new(
        args: &BenchArgs,
        number: u32,
        load: &Arc<Load>,
        report: &SharedReport,
    ) -> Outcome<BenchClient> {
        let (clients, number) = (u64::from(args.clients()), u64::from(number));
        Ok(BenchClient {
            client: args.remote.remote().connect()?,
            remote: args.remote.remote(),
            connect_each: args.connect_each,
            depth: args.pipeline(),
            requests: args.requests() / clients + u64::from(number < args.requests() % clients),
            load: Arc::clone(load),
            random: SmallRng::seed_from_u64(number),
            report: Arc::clone(report),
        })
    }

    /// Sends the requests, keeps as many under way as were asked for, and times each. A lost
    /// connection is made anew. If that fails, or an answer does not come in time, it ends, and what is
    /// left counts as failed.
    pub(super) fn run(&mut self) -> Outcome {
        let mut under_way = VecDeque::with_capacity(self.depth);
        let mut unsent = self.requests;
        let mut lost = false;
        while unsent > 0 || !under_way.is_empty() {
            let mut error = None;
            if unsent > 0 && under_way.len() < self.depth {
                let since = Instant::now();
                if (lost || self.connect_each)
                    && let Err(error) = self.connect()
                {
                    lock(&self.report).failed(&error, unsent + under_way.len() as u64);
                    return Ok(());
                }
                unsent -= 1;
                match self.send(since) {
                    Ok(sent) => under_way.push_back(sent),
                    Err(refused) => {
                        lock(&self.report).failed(&refused, 1);
                        error = Some(refused);
                    }
                }
            } else if let Some(sent) = under_way.pop_front() {
                error = self.finish(sent)?.filter(|error| !error.is_answer());
            }
            lost = error.is_some();
            if let Some(error) = error {
                // What has come on this connection has come.
                for sent in under_way.drain(..) {
                    self.finish(sent)?;
                }
                if matches!(error, KvsError::Timeout { .. }) {
                    lock(&self.report).failed(&error, unsent);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Makes a new connection. While nobody takes it, as during a restart, it asks again for as long as
    /// one may take.
    fn connect(&mut self) -> Result<()> {
        let mut waited = Duration::ZERO;
        loop {
            let since = Instant::now();
            match self.remote.try_connect() {
                Ok(client) => {
                    self.client = client;
                    return Ok(());
                }
                Err(error) if waited >= self.remote.options.connect => return Err(error),
                Err(_) => {
                    // A sleep in which the process is stopped is no longer than another.
                    waited += since.elapsed() + RETRY;
                    thread::sleep(RETRY);
                }
            }
        }
    }

    fn send(&mut self, since: Instant) -> Result<Sent> {
        let what = match self.load.next(&mut self.random) {
            Op::Read(key) => Wanted::Read(key, self.client.submit_get(self.load.key(key))?),
            Op::Write(key) => {
                let (key, value) = (self.load.key(key), self.load.value(key));
                Wanted::Write(self.client.submit_set(key, value)?)
            }
        };
        Ok(Sent { since, what })
    }

    /// Waits for an answer. Returns the error if it is one.
    fn finish(&self, sent: Sent) -> Outcome<Option<KvsError>> {
        let (answer, is_read) = match sent.what {
            Wanted::Read(key, pending) => {
                let right = |value| match value == Some(self.load.value(key)) {
                    true => Ok(()),
                    false => Err(KvsError::Server("a key had not the value it was given".into())),
                };
                (pending.wait().and_then(right), true)
            }
            Wanted::Write(pending) => (pending.wait(), false),
        };
        let (nanos, mut report) = (sent.since.elapsed().as_nanos() as u64, lock(&self.report));
        match answer {
            Ok(()) if is_read => report.reads.record(nanos)?,
            Ok(()) => report.writes.record(nanos)?,
            Err(error) => {
                report.failed(&error, 1);
                return Ok(Some(error));
            }
        }
        Ok(None)
    }
}
