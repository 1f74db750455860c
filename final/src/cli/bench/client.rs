use super::load::{Load, Op};
use super::report::Report;
use crate::cli::args::BenchArgs;
use crate::cli::client::Remote;
use crate::cli::outcome::Outcome;
use crate::{KvsClient, KvsError, Pending, Result};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// One of the clients: a thread, a connection, and its share of the requests.
pub(super) struct BenchClient {
    remote: Remote,
    client: KvsClient,
    connect_each: bool,
    depth: usize,
    requests: u64,
    load: Arc<Load>,
    random: SmallRng,
    done: Arc<AtomicU64>,
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
        done: &Arc<AtomicU64>,
    ) -> Outcome<BenchClient> {
        let (clients, number) = (u64::from(args.clients()), u64::from(number));
        Ok(BenchClient {
            client: args.remote().connect()?,
            remote: args.remote(),
            connect_each: args.connect_each,
            depth: args.pipeline(),
            requests: args.requests() / clients + u64::from(number < args.requests() % clients),
            load: Arc::clone(load),
            random: SmallRng::seed_from_u64(number),
            done: Arc::clone(done),
        })
    }

    /// Sends the requests, keeps as many under way as were asked for, and times each. A lost
    /// connection is made anew; once that fails, what is left counts as failed.
    pub(super) fn run(&mut self) -> Outcome<Report> {
        let mut report = Report::new()?;
        let mut under_way = VecDeque::with_capacity(self.depth);
        let mut unsent = self.requests;
        while unsent > 0 || !under_way.is_empty() {
            if unsent > 0 && under_way.len() < self.depth {
                unsent -= 1;
                match self.send() {
                    Ok(sent) => under_way.push_back(sent),
                    Err(error) => {
                        report.failed(&error.to_string());
                        if let Err(error) = self.connect() {
                            report.failed_too(&error.to_string(), unsent);
                            unsent = 0;
                        }
                    }
                }
            } else if let Some(sent) = under_way.pop_front() {
                self.finish(sent, &mut report)?;
                self.done.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(report)
    }

    fn connect(&mut self) -> Result<()> {
        self.client = self.remote.try_connect()?;
        Ok(())
    }

    fn send(&mut self) -> Result<Sent> {
        let op = self.load.next(&mut self.random);
        let since = Instant::now();
        if self.connect_each {
            self.connect()?;
        }
        let what = match op {
            Op::Read(key) => Wanted::Read(key, self.client.submit_get(self.load.key(key))?),
            Op::Write(key) => {
                let (key, value) = (self.load.key(key), self.load.value(key));
                Wanted::Write(self.client.submit_set(key, value)?)
            }
        };
        Ok(Sent { since, what })
    }

    fn finish(&self, sent: Sent, report: &mut Report) -> Outcome {
        let (answer, latencies) = match sent.what {
            Wanted::Read(key, pending) => {
                let right = |value| match value == Some(self.load.value(key)) {
                    true => Ok(()),
                    false => Err(KvsError::Server("a key had not the value it was given".into())),
                };
                (pending.wait().and_then(right), &mut report.reads)
            }
            Wanted::Write(pending) => (pending.wait(), &mut report.writes),
        };
        match answer {
            Ok(()) => latencies.record(sent.since.elapsed().as_nanos() as u64)?,
            Err(error) => report.failed(&error.to_string()),
        }
        Ok(())
    }
}
