//! The server on tokio beside those of stage 7 and of `final`: what idle clients cost, what a `get` costs,
//! and how long it takes beside clients that set.
//!
//! ```console
//! $ cargo bench                                  # here; a minute, for a look
//! $ cargo bench -- --full --json ../../benches/results/async.json
//! ```
//!
//! A full run is one round; repeated with the same file it adds one. Each server takes its turn in every
//! round. It is a process of its own, with two threads; stage 7 has as many as there are clients,
//! since it would serve no more. Stores are in memory. The figures of a sample:
//!
//! - `memory`: what the server's process has resident; `threads`: how many it has; `kernel_stacks`: by how
//!   much those of all processes grew meanwhile;
//! - `rate`, `p50`, `p99`, `longest`: gets a second, and how long they took; `sets`: sets a second;
//! - `cpu`, `waits`: what a request took of the server's processor time, and how often one of its threads
//!   left the processor to wait for something.

use kvs_bench_kit::data::{Key, Values, random};
use kvs_bench_kit::load::{Exchange, allow_open_files, connect};
use kvs_bench_kit::options::{Amount, Options, in_memory};
use kvs_bench_kit::record::Figures;
use kvs_bench_kit::repeat::{Done, Work, repeat};
use kvs_bench_kit::usage::Usage;
use kvs_bench_kit::{Outcome, Record, Unit};
use kvs_test_kit::Server;
use rand::RngExt;
use std::fs::read_to_string;
use std::process::{Command, ExitCode};
use std::time::Instant;
use tempfile::TempDir;

const STAGE: &str = "stage-7";
const SERVERS: [&str; 4] = [STAGE, "async", "async-spawn-blocking", "final"];
/// Of those that aren't stage 7.
const THREADS: usize = 2;
const KEYS: u64 = 10_000;
const VALUE_BYTES: usize = 1024;
/// In the environment of a process that is a server: which.
const SERVER: &str = "KVS_BENCH_SERVER";

/// By name: how many clients get, how many set beside them, and how many requests each sends at once.
const LOADS: [(&str, usize, usize, u64); 4] = [
    ("get-2", 2, 0, 1),
    ("get-64", 64, 0, 1),
    ("get-2-pipelined", 2, 0, 16),
    ("get-beside-setters", 4, 16, 1),
];

fn main() -> ExitCode {
    match std::env::var(SERVER).as_deref() {
        Ok(STAGE) => lock_free::cli::server(),
        Ok("final") => kvs_final::cli::server(),
        Ok(_) => kvs::cli::server(),
        Err(_) => measure().map_or_else(
            |error| {
                eprintln!("{error}");
                ExitCode::FAILURE
            },
            |()| ExitCode::SUCCESS,
        ),
    }
}

fn measure() -> Outcome<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let (seconds, idle): (_, &[usize]) = match options.amount {
        Amount::Test => (0.01, &[10]),
        Amount::Quick => (0.5, &[10, 100, 1000]),
        Amount::Full => (2.0, &[10, 100, 1000, 10_000]),
    };
    allow_open_files(12_000)?;
    let settings =
        [("keys", KEYS.into()), ("value_bytes", VALUE_BYTES.into()), ("seconds", seconds.into())];
    let record = Record::new(&in_memory(), settings)?
        .units(Unit::PerSecond, &["rate", "sets"])
        .units(Unit::Second, &["p50", "p99", "p999", "longest", "cpu"])
        .units(Unit::Byte, &["memory", "kernel_stacks"]);
    let mut record = options.continued(record)?;
    let mut add = |of: String, figures: &dyn Fn() -> Outcome<Figures>| -> Outcome<()> {
        if options.wants(&of) {
            let figures = figures().map_err(|e| format!("{of}: {e}"))?;
            eprintln!("{of}: {figures:.3?}");
            record.add(of, figures);
        }
        Ok(())
    };
    for server in SERVERS {
        for &clients in idle {
            add(format!("idle/{server}/{clients}"), &|| idle_clients(server, clients))?;
        }
    }
    for load in LOADS {
        for server in SERVERS {
            add(format!("{}/{server}", load.0), &|| busy_clients(server, load, seconds))?;
        }
    }
    options.json.as_ref().map_or(Ok(()), |path| record.write(path))
}

fn start(server: &str, clients: usize, dir: &TempDir) -> Outcome<Server> {
    let threads = if server == STAGE { clients } else { THREADS };
    let mut command = Command::new(std::env::current_exe()?);
    command.env(SERVER, server).args(["--threads", &threads.to_string()]);
    match server {
        "async-spawn-blocking" => command.arg("--spawn-blocking"),
        "final" => command.args(["--durability", "os"]),
        _ => &mut command,
    };
    Ok(Server::start(&mut command, dir.path())?)
}

/// A line of a file in `/proc` that says `NAME: NUMBER`, the number.
fn number(file: &str, name: &str) -> Outcome<f64> {
    let text = read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()).ok_or("no such line")?;
    Ok(number.parse()?)
}

/// Clients that have asked once, and stay.
fn idle_clients(server: &str, clients: usize) -> Outcome<Figures> {
    let kernel_stacks = || number("/proc/meminfo", "KernelStack");
    let before = kernel_stacks()?;
    let dir = TempDir::new_in(in_memory())?;
    let server = start(server, clients, &dir)?;
    let mut nothing = Exchange::default();
    nothing.request.extend(b"{\"Get\":{\"key\":\"k\"}}\n");
    nothing.answer.extend(b"{\"Ok\":null}\n");
    let mut open = Vec::new();
    for client in 0..clients {
        let mut connection = connect(client, server.addr)?;
        nothing.ask(&mut connection, &mut Vec::new())?;
        open.push(connection);
    }
    let status = format!("/proc/{}/status", server.pid());
    let figures = [
        ("memory", number(&status, "VmRSS")? * 1024.0),
        ("threads", number(&status, "Threads")?),
        ("kernel_stacks", (kernel_stacks()? - before) * 1024.0),
    ];
    Ok(figures.map(|(name, figure)| (name.to_owned(), figure)).into())
}

/// Fills a server's store, and lets clients work until the time is over.
fn busy_clients(
    server: &str,
    (_, getters, setters, in_flight): (&str, usize, usize, u64),
    seconds: f64,
) -> Outcome<Figures> {
    let dir = TempDir::new_in(in_memory())?;
    let server = start(server, getters + setters + 1, &dir)?;
    let values = Values::new(VALUE_BYTES);
    let exchanges = |count: u64, ask: fn(&mut Exchange, &str, &str)| -> Vec<Exchange> {
        let several = |first| {
            let mut exchange = Exchange::default();
            (first..first + count).for_each(|number| {
                ask(&mut exchange, Key::new(number).as_str(), &values.make(number, 0));
            });
            exchange
        };
        (0..KEYS).step_by(count as usize).map(several).collect()
    };
    let (gets, sets) = (exchanges(in_flight, Exchange::get), exchanges(1, Exchange::set));
    let mut connection = connect(0, server.addr)?;
    sets.iter().try_for_each(|set| set.ask(&mut connection, &mut Vec::new()))?;
    let client = |number: usize| -> Outcome<Work<'_>> {
        let exchanges = if number < getters { &gets } else { &sets };
        let mut connection = connect(number, server.addr)?;
        let (mut random, mut buffer) = (random(number as u64), Vec::new());
        Ok(Box::new(move || {
            let exchange = &exchanges[random.random_range(0..exchanges.len())];
            let start = Instant::now();
            exchange.ask(&mut connection, &mut buffer)?;
            Ok(start.elapsed())
        }))
    };
    let clients = (0..getters + setters).map(client).collect::<Outcome<_>>()?;
    let mut measured = repeat(seconds, clients, || Usage::of(server.pid()))?;
    let (seconds, before, after) = (measured.seconds, measured.before, measured.after);
    let sets = Done::sum(measured.done.drain(getters..)).latencies.len() as f64;
    let mut done = Done::sum(measured.done);
    let gets = (done.latencies.len() as u64 * in_flight) as f64;
    let waits = after.waits.saturating_sub(before.waits) as f64;
    let mut figures = done.figures(seconds);
    let more = [
        ("rate", gets / seconds),
        ("sets", sets / seconds),
        ("cpu", (after.cpu - before.cpu) / (gets + sets)),
        ("waits", waits / (gets + sets)),
    ];
    figures.extend(more.map(|(name, figure)| (name.to_owned(), figure)));
    Ok(figures)
}
