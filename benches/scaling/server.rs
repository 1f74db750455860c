//! Clients and a server, which is a process of its own: it can be ended, and what its threads use can
//! be told from what the clients do.

use crate::engine::Bench;
use crate::workloads::{By, Work};
use kvs_bench_kit::Outcome;
use kvs_bench_kit::data::{Key, random};
use kvs_bench_kit::load::{Exchange, Load};
use kvs_bench_kit::record::Figures;
use kvs_bench_kit::repeat::Done;
use kvs_bench_kit::usage::Usage;
use kvs_bench_stages::Stage;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::env;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

/// The first argument of a process that is a server; the second is its [`Task`].
pub(crate) const SERVE: &str = "serve";

/// What a process is to serve.
#[derive(Serialize, Deserialize)]
pub(crate) struct Task {
    stage: Stage,
    threads: u32,
    dir: PathBuf,
}

/// The life of that process. It says its address, and ends with its input: so it does not outlive the
/// process that started it.
pub(crate) fn serve(task: &str) -> Outcome<()> {
    let Task { stage, threads, dir } = serde_json::from_str(task)?;
    thread::spawn(|| {
        // Whatever comes, it is over.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    kvs_bench_stages::serve(stage, &dir, threads, |addr| {
        println!("{addr}");
        Ok(())
    })
}

/// A server with a store that has been filled.
struct Process {
    child: Child,
    addr: SocketAddr,
}

impl Process {
    fn start(task: &Task) -> Outcome<Process> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(SERVE).arg(serde_json::to_string(task)?);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let output = child.stdout.as_mut().ok_or("the process has no output")?;
        BufReader::new(output).read_line(&mut line)?;
        match line.trim().parse() {
            Ok(addr) => Ok(Process { child, addr }),
            Err(_) => Err(format!("the server does not start: {}", child.wait()?).into()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // If it has ended by itself there is nothing to kill; `wait` takes it in both cases.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
        let process = Process::start(&Task { stage, threads, dir })?;
        let reconnect = work.by == By::Connections;
        let clients = if reconnect { 16 } else { threads as usize };
        let load = Load { addr: process.addr, exchanges, clients, reconnect };
        let usage = || Usage::of(process.child.id());
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
