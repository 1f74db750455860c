use super::load::{Op, Settings};
use super::report::Report;
use crate::cli::client::Remote;
use crate::cli::outcome::Outcome;
use crate::client::lock;
use crate::protocol::Request;
use crate::{KvsClient, KvsError, Pending, Result};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{mem, thread};

/// How long it waits before it asks for a connection again.
const RETRY: Duration = Duration::from_millis(10);
/// How long it sleeps at once before a request is due.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// What clients have seen so far. Locked for a moment, by the client and by who shows the progress.
pub(super) type SharedReport = Arc<Mutex<Report>>;

/// One of the clients: a thread, a connection, and its share of the requests.
pub(super) struct BenchClient {
    remote: Remote,
    client: KvsClient,
    settings: Arc<Settings>,
    /// Of the clients, from 0 on.
    number: u64,
    requests: u64,
    random: SmallRng,
    report: SharedReport,
    begin: Instant,
}

/// A request that is under way.
struct Sent {
    /// When it was sent, or in an open loop when it was due, after the beginning.
    since: Duration,
    op: Op,
    answer: Pending<Option<String>>,
}

impl BenchClient {
    pub(super) fn new(
        remote: Remote,
        settings: &Arc<Settings>,
        number: u64,
        report: &SharedReport,
    ) -> Outcome<BenchClient> {
        let Settings { clients, requests, .. } = **settings;
        Ok(BenchClient {
            client: remote.connect()?,
            remote,
            settings: Arc::clone(settings),
            number,
            requests: requests / clients + u64::from(number < requests % clients),
            random: SmallRng::seed_from_u64(number),
            report: Arc::clone(report),
            begin: Instant::now(),
        })
    }

    /// Sends the requests, keeps as many under way as were asked for, and times each. A lost
    /// connection is made anew. If that fails, or an answer does not come in time, it ends, and what is
    /// left counts as failed.
    pub(super) fn run(&mut self, begin: Instant) -> Outcome {
        self.begin = begin;
        let (mut under_way, mut sent, mut lost) = (VecDeque::new(), 0, false);
        while sent < self.requests || !under_way.is_empty() {
            let error = match self.next(sent, &under_way) {
                Ok(Some(since)) => {
                    if self.settings.rate.is_some() {
                        lock(&self.report).late.record(self.nanos_since(since))?;
                    }
                    if (lost || self.settings.connect_each)
                        && let Err(error) = self.connect()
                    {
                        let left = self.requests - sent + under_way.len() as u64;
                        lock(&self.report).failed(&error, left);
                        return Ok(());
                    }
                    sent += 1;
                    let submitted = self.submit(since).map(|sent| under_way.push_back(sent));
                    submitted.inspect_err(|error| lock(&self.report).failed(error, 1)).err()
                }
                Ok(None) => match under_way.pop_front() {
                    Some(sent) => self.finish(sent)?.filter(|error| !error.is_answer()),
                    None => {
                        self.leave_unsent(sent)?;
                        None
                    }
                },
                Err(lost) => Some(lost),
            };
            lost = error.is_some();
            if let Some(error) = error {
                // What has come on this connection has come.
                for sent in under_way.drain(..) {
                    self.finish(sent)?;
                }
                if matches!(error, KvsError::Timeout { .. }) {
                    lock(&self.report).failed(&error, self.requests - sent);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Waits until the next request may be sent, and returns since when its latency counts; or nothing if an
    /// answer is to be taken first, or if no request is sent any more.
    ///
    /// # Errors
    /// If the connection is lost meanwhile.
    fn next(&self, sent: u64, under_way: &VecDeque<Sent>) -> Result<Option<Duration>> {
        if sent == self.requests || under_way.len() == self.settings.pipeline {
            return Ok(None);
        }
        let due = self.settings.due(self.number + sent * self.settings.clients);
        let Some((due, end)) = due.zip(self.settings.end()) else {
            return Ok(Some(self.begin.elapsed()));
        };
        loop {
            let now = self.begin.elapsed();
            match (due.saturating_sub(now).min(LONGEST_SLEEP), under_way.front()) {
                _ if now > end => return Ok(None),
                (Duration::ZERO, _) => return Ok(Some(due)),
                (left, Some(oldest)) if oldest.answer.comes_within(left)? => return Ok(None),
                (_, Some(_)) => {}
                (left, None) => thread::sleep(left),
            }
        }
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

    fn submit(&mut self, since: Duration) -> Result<Sent> {
        let op = self.settings.next(&mut self.random);
        let key = self.settings.key(op.key);
        let request = match op.is_read {
            true => Request::Get { key },
            false => Request::Set { key, value: self.settings.value(op.key) },
        };
        Ok(Sent { since, op, answer: self.client.submit(&request)? })
    }

    /// Waits for an answer. Returns the error if it is one.
    fn finish(&self, Sent { since, op, answer }: Sent) -> Outcome<Option<KvsError>> {
        let right = |found| match found == op.is_read.then(|| self.settings.value(op.key)) {
            true => Ok(()),
            false => Err(KvsError::Server("a key had not the value it was given".into())),
        };
        let answer = answer.wait().and_then(right);
        let (nanos, mut report) = (self.nanos_since(since), lock(&self.report));
        match answer {
            Ok(()) => report.latencies(op.is_read).record(nanos)?,
            Err(error) => {
                report.failed(&error, 1);
                return Ok(Some(error));
            }
        }
        Ok(None)
    }

    /// The time is over, and with it the wait of what is due and was not sent: it is at least so late.
    fn leave_unsent(&mut self, sent: u64) -> Outcome {
        let mut report = lock(&self.report);
        for request in sent..mem::replace(&mut self.requests, sent) {
            let due = self.settings.due(self.number + request * self.settings.clients);
            let nanos = self.nanos_since(due.unwrap_or_default());
            let Op { is_read, .. } = self.settings.next(&mut self.random);
            report.latencies(is_read).record(nanos)?;
            report.late.record(nanos)?;
            report.unsent += 1;
        }
        Ok(())
    }

    fn nanos_since(&self, since: Duration) -> u64 {
        self.begin.elapsed().saturating_sub(since).as_nanos() as u64
    }
}
