//! The servers, each started for each workload, and what the clients in this process ask them.
//!
//! Ours runs with `--durability interval=1000 --threads 2`, memcached with `-t 2`, Redis, which has one thread for its
//! clients, without a file, and for sets also with `--appendonly yes --appendfsync everysec` (`redis-aof`): that and ours
//! promise the same, that a power loss takes the sets of the last second. A server's CPU is the time of its process in
//! the program and in the kernel; on the loopback that includes what the kernel does to bring its answers to the client,
//! but not what it does to bring the requests.

use crate::{Pairs, evict};
use kvs_bench_kit::Outcome;
use kvs_bench_kit::data::{Key, random};
use kvs_bench_kit::load::{Exchange, Load, allow_open_files, connect};
use kvs_bench_kit::record::{Figures, output};
use kvs_bench_kit::repeat::{Done, Measured, repeat};
use kvs_bench_kit::usage::{Running, Usage, this_program_as};
use procfs::process::Process;
use rand::RngExt;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::json;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The name, whether clients get or set, how many they are, how many requests each sends at once before
/// it waits for all the answers, and what else there is about it.
pub(crate) const WORKLOADS: [(&str, Ask, usize, usize, How); 16] = [
    ("get16", GET, 16, 1, Kept),
    ("get64", GET, 64, 1, Kept),
    ("get256", GET, 256, 1, Kept),
    ("get1000", GET, 1000, 1, Kept),
    ("pipeline2", GET, 2, 16, Kept),
    ("pipeline4", GET, 4, 16, Kept),
    ("pipeline8", GET, 8, 16, Kept),
    ("pipeline16", GET, 16, 16, Kept),
    ("pipeline64", GET, 16, 64, Kept),
    ("connect16", GET, 16, 1, Reconnect),
    ("connect64", GET, 64, 1, Reconnect),
    ("set", SET, 16, 1, Kept),
    ("set-pipeline16", SET, 16, 16, Kept),
    ("one-core", GET, 64, 1, OneCore),
    ("idle", GET, 10_000, 1, Idle),
    ("cold", GET, 100, 1, BesideCold),
];

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum How {
    /// A client keeps its connection.
    Kept,
    /// Each exchange has a connection of its own.
    Reconnect,
    /// Server and clients are kept on one core, and the server has one thread.
    OneCore,
    /// Each client asks once. Then the server's memory is looked at.
    Idle,
    /// One more client asks for values of 16 MiB that are not in memory, one after the other.
    BesideCold,
}
use How::{BesideCold, Idle, Kept, OneCore, Reconnect};

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
    let servers = ["kvs-queue", "kvs-rayon", "kvs-naive", "redis", "redis-aof", "memcached"];
    let needs = [("redis", "redis-server"), ("memcached", "memcached")];
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
    let pairs = WORKLOADS.iter().flat_map(|work| servers.map(|server| (work, server)));
    let has_room = allow_open_files(11_000).inspect_err(|e| eprintln!("idle is left out: {e}"));
    let has_part = |((_, ask, .., how), server): &(&(&str, Ask, usize, usize, How), &str)| {
        let is_asked = match how {
            OneCore | BesideCold => *server == "kvs-queue",
            Idle if has_room.is_err() => false,
            _ => *ask == SET || *server != "redis-aof",
        };
        is_asked && !missing.iter().any(|missing| server.starts_with(missing))
    };
    (pairs.filter(has_part).map(|(work, server)| (work.0, server)).collect(), programs)
}

/// Runs a workload on a server that is started for it.
pub(crate) fn run(work: &str, server: &str, keys: u64, seconds: f64) -> Outcome<Figures> {
    let workload = WORKLOADS.iter().find(|(name, ..)| *name == work);
    let &(_, ask, clients, depth, how) = workload.ok_or("there is no such workload")?;
    allow_open_files(clients as u64 + 1000)?;
    // Processes and threads that are started from here stay where this thread is.
    let cores = sched_getaffinity(None)?;
    if how == OneCore {
        let first = (0..CpuSet::MAX_CPU).find(|core| cores.is_set(*core));
        let mut one = CpuSet::new();
        one.set(first.ok_or("there is no core")?);
        sched_setaffinity(None, &one)?;
    }
    let server = Server::start(server, keys, if how == OneCore { 1 } else { 2 })?;
    let mut random = random(0);
    let mut numbers = || (0..depth).map(|_| random.random_range(0..keys)).collect::<Vec<_>>();
    let exchanges: Vec<_> = (0..keys).map(|_| server.exchange(ask, &numbers())).collect();
    let load =
        Load { addr: server.addr, exchanges: &exchanges, clients, reconnect: how == Reconnect };
    if how == Idle {
        return server.idle(&load);
    }
    let (cold, mut connection) = (server.cold(how, seconds)?, connect(clients, server.addr)?);
    let mut works = load.clients()?;
    let mut next = cold.iter();
    if how == BesideCold {
        works.push(Box::new(move || {
            match next.next() {
                Some(exchange) => exchange.ask(&mut connection, &mut Vec::new())?,
                // All are in memory now.
                None => sleep(Duration::from_millis(10)),
            }
            Ok(Duration::ZERO)
        }));
    }
    let Measured { mut done, seconds, before, after } =
        repeat(seconds, works, || Usage::of(server.process.0.id()))?;
    done.truncate(clients);
    let mut figures = Done::sum(done).figures(seconds);
    figures.remove("longest");
    let rate = figures["rate"] * depth as f64;
    figures.insert("rate".to_owned(), rate);
    figures.insert("cpu".to_owned(), (after.cpu - before.cpu) / (rate * seconds));
    sched_setaffinity(None, &cores)?;
    Ok(figures)
}

/// A server as a process of its own, from its start to its end.
struct Server {
    process: Running,
    addr: SocketAddr,
    protocol: Protocol,
    dir: TempDir,
}

impl Server {
    /// One that has all keys.
    fn start(name: &str, keys: u64, threads: u32) -> Outcome<Server> {
        let dir = TempDir::new()?;
        // One that nobody listens at: not every server can choose its port and say so.
        let addr = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let port = addr.port();
        let (mut command, options, protocol) = match name {
            // In its protected mode some versions take 127.1.0.1 for another machine. An empty word at
            // the end: snapshots at no time.
            redis if redis.starts_with("redis") => (
                Command::new("redis-server"),
                format!(
                    "--bind 127.0.0.1 --port {port} --tcp-backlog 4096 --protected-mode no --maxclients \
                     11000 --appendfsync everysec --appendonly {} --save ",
                    if redis == "redis-aof" { "yes" } else { "no" }
                ),
                REDIS,
            ),
            // It refuses to be root by accident; who is not root has no use for `-u`.
            "memcached" => (
                Command::new("memcached"),
                format!("-l 127.0.0.1 -p {port} -b 4096 -c 11000 -t {threads} -u root"),
                MEMCACHED,
            ),
            kvs => (
                this_program_as("kvs-server")?,
                format!(
                    "--addr {addr} --durability interval=1000 --pool {} --threads {threads} \
                     --max-connections 11000 --max-request 17M",
                    kvs.trim_start_matches("kvs-")
                ),
                KVS,
            ),
        };
        let log = dir.path().join("log");
        let file = File::create(&log)?;
        command.args(options.split(' ')).current_dir(&dir).stdout(file.try_clone()?).stderr(file);
        let process = Running(command.spawn()?);
        let mut server = Server { process, addr, protocol, dir };
        let start = Instant::now();
        let mut connection = loop {
            match connect(0, addr) {
                Ok(connection) => break connection,
                Err(error) if start.elapsed().as_secs() > 10 => return Err(error),
                Err(error) if server.process.0.try_wait()?.is_some() => {
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

    /// How many bytes of its own memory a client takes that has asked once.
    fn idle(&self, load: &Load) -> Outcome<Figures> {
        let process = Process::new(self.process.0.id().try_into()?)?;
        let status = || process.status();
        let before = status()?;
        let mut connections = Vec::new();
        for number in 0..load.clients {
            let mut connection = connect(number, self.addr)?;
            load.exchanges[0].ask(&mut connection, &mut Vec::new())?;
            connections.push(connection);
        }
        let after = status()?;
        let grown = after.rssanon.unwrap_or(0).saturating_sub(before.rssanon.unwrap_or(0));
        let bytes = grown as f64 * 1024.0 / load.clients as f64;
        let threads = after.threads as f64 - before.threads as f64;
        Ok([("client-bytes".to_owned(), bytes), ("threads".to_owned(), threads)].into())
    }

    /// Sets some long values if the workload is about them, and takes them out of memory. The requests for
    /// them.
    fn cold(&self, how: How, seconds: f64) -> Outcome<Vec<Exchange>> {
        let mut exchanges = Vec::new();
        if how == BesideCold {
            let value = "x".repeat(16 << 20);
            let mut connection = connect(0, self.addr)?;
            // More than there is time for.
            let count = (32.0 * seconds).ceil() as usize;
            for key in (0..count).map(|number| format!("cold-{number}")) {
                let (mut set, mut get) = (Exchange::default(), Exchange::default());
                set.set(&key, &value);
                set.ask(&mut connection, &mut Vec::new())?;
                get.get(&key, &value);
                exchanges.push(get);
            }
            evict(self.dir.path())?;
        }
        Ok(exchanges)
    }
}
