//! Clients, and a server that is a process of its own.

use crate::engine::Bench;
use crate::workloads::{By, Work};
use kvs_bench_kit::Outcome;
use kvs_bench_kit::data::{Key, random};
use kvs_bench_kit::load::{Exchange, Load};
use kvs_bench_kit::record::Figures;
use kvs_bench_kit::repeat::Done;
use kvs_bench_kit::usage::Usage;
use kvs_bench_stages::Stage;
use kvs_bench_stages::process::{Process, SERVE, Task};
use rand::RngExt;
use std::path::PathBuf;

impl Bench {
    /// Fills a store, starts a server on it, and lets clients ask it until the time is over.
    pub(crate) fn measure_server(
        &self,
        work: Work,
        stage: Stage,
        threads: u32,
        dir: PathBuf,
        exchanges: &[Exchange],
    ) -> Outcome<Figures> {
        self.fill(&mut *stage.open(&dir)?)?;
        let task = serde_json::to_string(&Task { stage, threads, dir })?;
        let process = Process::start(&[], &[SERVE, &task])?;
        let reconnect = work.by == By::Connections;
        let clients = if reconnect { 16 } else { threads as usize };
        let load = Load { addr: process.addr, exchanges, clients, reconnect };
        let usage = || Usage::of(process.id());
        let measured = load.measure(self.seconds * work.longer, usage)?;
        let (seconds, before, after) = (measured.seconds, measured.before, measured.after);
        let mut done = Done::sum(measured.done);
        let requests = (done.latencies.len() * work.in_flight()) as f64;
        let mut figures = done.figures(seconds);
        figures.insert("rate".to_owned(), requests / seconds);
        figures.insert("cpu".to_owned(), (after.cpu - before.cpu) / requests);
        // A thread takes its count along when it ends, and there each connection has its own.
        if !(stage == Stage::ThreadedServer && reconnect) {
            let waits = after.waits.saturating_sub(before.waits);
            figures.insert("waits".to_owned(), waits as f64 / requests);
        }
        Ok(figures)
    }

    /// Requests of random keys, and the answers that they must get. What is set is what was there.
    pub(crate) fn exchanges(&self, work: Work) -> Vec<Exchange> {
        let mut random = random(0);
        let mut exchange = |_| {
            let mut exchange = Exchange::default();
            for _ in 0..work.in_flight() {
                let number = random.random_range(0..self.keys);
                let (key, value) = (Key::new(number), self.values.make(number, 0));
                if random.random_range(0..100) < work.sets {
                    exchange.set(key.as_str(), &value);
                } else {
                    exchange.get(key.as_str(), &value);
                }
            }
            exchange
        };
        (0..self.keys / work.in_flight() as u64).map(&mut exchange).collect()
    }
}
