//! The servers, each started for each workload, and what the clients in this process ask them.

use crate::{Pairs, this_program_as};
use kvs_bench_kit::Outcome;
use kvs_bench_kit::data::{Key, random};
use kvs_bench_kit::load::{Exchange, Load, allow_open_files, connect};
use kvs_bench_kit::record::{Figures, output};
use kvs_bench_kit::repeat::{Done, Measured};
use kvs_bench_kit::usage::Usage;
use procfs::process::Process;
use rand::RngExt;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::cell::Cell;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The name, whether clients get or set, how many they are, how many requests each sends at once before
/// it waits for all the answers, and whether it opens a connection for that.
pub(crate) const WORKLOADS: [(&str, Ask, usize, usize, bool); 10] = [
    ("get16", GET, 16, 1, false),
    ("get64", GET, 64, 1, false),
    ("get256", GET, 256, 1, false),
    ("get1000", GET, 1000, 1, false),
    ("pipeline16", GET, 16, 16, false),
    ("pipeline64", GET, 16, 64, false),
    ("connect16", GET, 16, 1, true),
    ("connect64", GET, 64, 1, true),
    ("set", SET, 16, 1, false),
    // Slower than `get16`, as its system calls are counted.
    ("calls", GET, 16, 1, false),
];

/// What is asked, as a place in a [`Protocol`].
type Ask = usize;
const GET: Ask = 0;
const SET: Ask = 1;

/// How a server is asked for a key, and for setting one, and its answers.
type Protocol = [(&'static str, &'static str); 2];

const KVS: Protocol = [
    ("{\"Get\":{\"key\":\"<key>\"}}\n", "{\"Ok\":\"<value>\"}\n"),
    ("{\"Set\":{\"key\":\"<key>\",\"value\":\"<value>\"}}\n", "{\"Ok\":null}\n"),
];
const REDIS: Protocol = [
    ("*2\r\n$3\r\nGET\r\n$16\r\n<key>\r\n", "$16\r\n<value>\r\n"),
    ("*3\r\n$3\r\nSET\r\n$16\r\n<key>\r\n$16\r\n<value>\r\n", "+OK\r\n"),
];
const MEMCACHED: Protocol = [
    ("get <key>\r\n", "VALUE <key> 0 16\r\n<value>\r\nEND\r\n"),
    ("set <key> 0 0 16\r\n<value>\r\n", "STORED\r\n"),
];

/// Each workload on each server, but for what isn't installed.
pub(crate) fn pairs() -> Pairs {
    let servers = ["kvs-queue", "kvs-rayon", "kvs-naive", "redis", "memcached"];
    let needs = [("redis", "redis-server"), ("memcached", "memcached"), ("calls", "strace")];
    let (mut missing, mut programs) = (Vec::new(), json!({}));
    for (what, program) in needs {
        match output(program, &["--version"]) {
            Ok(text) => {
                let has_digit = |word: &&str| word.contains(|c: char| c.is_ascii_digit());
                let version = text.split_whitespace().find(has_digit).unwrap_or_default();
                programs[program] = version.trim_start_matches("v=").into();
            }
            Err(error) => {
                eprintln!("{what} is left out: {error}");
                missing.push(what);
            }
        }
    }
    let pairs = WORKLOADS.iter().flat_map(|(work, ..)| servers.map(|server| (*work, server)));
    let is_there = |(work, server): &(_, _)| !missing.contains(work) && !missing.contains(server);
    (pairs.filter(is_there).collect(), programs)
}

/// Runs a workload on a server that is started for it.
pub(crate) fn run(work: &str, server: &str, keys: u64, seconds: f64) -> Outcome<Figures> {
    allow_open_files(4096)?;
    let server = Server::start(server, keys)?;
    let workload = WORKLOADS.iter().find(|(name, ..)| *name == work);
    let &(_, ask, clients, depth, reconnect) = workload.ok_or("there is no such workload")?;
    let mut random = random(0);
    let mut numbers = || (0..depth).map(|_| random.random_range(0..keys)).collect::<Vec<_>>();
    let exchanges: Vec<_> = (0..keys).map(|_| server.exchange(ask, &numbers())).collect();
    let load = Load { addr: server.addr, exchanges: &exchanges, clients, reconnect };
    if work == "calls" {
        return server.calls(&load, seconds);
    }
    let Measured { done, seconds, before, after } =
        load.measure(seconds, || Usage::of(server.process.id()))?;
    let mut figures = Done::sum(done).figures(seconds);
    figures.remove("longest");
    let rate = figures["rate"] * depth as f64;
    figures.insert("rate".to_owned(), rate);
    figures.insert("cpu".to_owned(), (after.cpu - before.cpu) / (rate * seconds));
    Ok(figures)
}

/// A server as a process of its own, from its start to its end.
struct Server {
    process: Child,
    addr: SocketAddr,
    protocol: Protocol,
    dir: TempDir,
}

impl Server {
    /// One that has all keys.
    fn start(name: &str, keys: u64) -> Outcome<Server> {
        let dir = TempDir::new()?;
        // One that nobody listens at: not every server can choose its port and say so.
        let addr = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let port = addr.port();
        let (mut command, options, protocol) = match name {
            // In its protected mode some versions take 127.1.0.1 for another machine. An empty word at
            // the end: snapshots at no time.
            "redis" => (
                Command::new("redis-server"),
                format!(
                    "--bind 127.0.0.1 --port {port} --tcp-backlog 4096 --protected-mode no \
                     --appendonly no --save "
                ),
                REDIS,
            ),
            // It refuses to be root by accident; who is not root has no use for `-u`.
            "memcached" => (
                Command::new("memcached"),
                format!("-l 127.0.0.1 -p {port} -b 4096 -c 2000 -t 2 -u root"),
                MEMCACHED,
            ),
            kvs => (
                this_program_as("kvs-server")?,
                format!("--addr {addr} --durability os --pool {}", kvs.trim_start_matches("kvs-")),
                KVS,
            ),
        };
        let log = dir.path().join("log");
        let file = File::create(&log)?;
        command.args(options.split(' ')).current_dir(&dir).stdout(file.try_clone()?).stderr(file);
        let process = command.spawn()?;
        let mut server = Server { process, addr, protocol, dir };
        let start = Instant::now();
        let mut connection = loop {
            match connect(0, addr) {
                Ok(connection) => break connection,
                Err(error) if start.elapsed().as_secs() > 10 => return Err(error),
                Err(error) if server.process.try_wait()?.is_some() => {
                    return Err(format!("{error}; it ended: {}", fs::read_to_string(log)?).into());
                }
                Err(_) => sleep(Duration::from_millis(5)),
            }
        };
        for number in 0..keys {
            server.exchange(SET, &[number]).ask(&mut connection, &mut Vec::new())?;
        }
        Ok(server)
    }

    /// Requests that are sent at once, and the answers that have to come.
    fn exchange(&self, ask: Ask, numbers: &[u64]) -> Exchange {
        let mut exchange = Exchange::default();
        for &number in numbers {
            // The value has 16 bytes as well, and is no other key's.
            let (key, value) = (Key::new(number), Key::new(!number));
            let fill = |text: &str| {
                text.replace("<key>", key.as_str()).replace("<value>", value.as_str()).into_bytes()
            };
            exchange.request.extend(fill(self.protocol[ask].0));
            exchange.answer.extend(fill(self.protocol[ask].1));
        }
        exchange
    }

    /// The system calls of a request, as `strace` counts them while it is measured.
    fn calls(&self, load: &Load, seconds: f64) -> Outcome<Figures> {
        let table = self.dir.path().join("calls");
        let strace = Cell::new(None);
        let begin_or_end = || -> Outcome<()> {
            match strace.take() {
                None => strace.set(Some(attach(self.process.id(), &table)?)),
                Some(mut strace) => {
                    kill_process(Pid::from_child(&strace), Signal::INT)?;
                    strace.wait()?;
                }
            }
            Ok(())
        };
        let done = Done::sum(load.measure(seconds, begin_or_end)?.done);
        let table = fs::read_to_string(&table)?;
        let total = table.lines().find(|line| line.ends_with(" total"));
        let calls = total.and_then(|line| line.split_whitespace().nth(3)?.parse::<f64>().ok());
        let calls = calls.ok_or("strace counted nothing")? / done.latencies.len() as f64;
        Ok([("calls".to_owned(), calls)].into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If it has ended by itself there is nothing to kill; `wait` takes it in both cases.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An `strace` that counts what all threads of a process do from now on.
fn attach(process: u32, table: &Path) -> Outcome<Child> {
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-f", "-c", "-p", &process.to_string(), "-o"]).arg(table);
    let mut strace = strace.spawn()?;
    let process = Process::new(process.try_into()?)?;
    while process.status()?.tracerpid == 0 {
        if let Some(status) = strace.try_wait()? {
            return Err(format!("strace ended with {status}").into());
        }
        sleep(Duration::from_millis(1));
    }
    Ok(strace)
}
