//! `kvs bench` over one server, and over two, in front of a Redis Cluster of three nodes, beside `redis-benchmark
//! --cluster` that asks the nodes itself: 16 clients in all, with one and with 16 requests in flight each.
//!
//! ```console
//! $ cargo bench --features cluster --bench cluster
//! $ cargo bench --features cluster --bench cluster -- --full --json benches/results/cluster.json   # adds a round
//! ```
//!
//! It starts the nodes itself. All of it shares the machine's processors, so look at the processor time of each part
//! before you look at the rates.

use kvs_bench_kit::options::{Amount, Options, in_memory};
use kvs_bench_kit::record::{Figures, output};
use kvs_bench_kit::usage::{Usage, cpu_of_children, this_program_as};
use kvs_bench_kit::{Outcome, Record, Unit, peers};
use kvs_test_kit::Server;
use kvs_test_kit::redis::{Cluster, NO_LOG, PATIENT};
use std::env;
use std::process::{Command, ExitCode, Stdio};

const CLIENTS: usize = 16;
const KEYS: usize = 1000;

/// This program is `kvs`, too, by the name of its process.
fn main() -> Outcome<ExitCode> {
    if env::args().next().is_some_and(|name| name == "kvs") {
        return Ok(kvs_final::cli::kvs());
    }
    measure().map(|()| ExitCode::SUCCESS)
}

fn measure() -> Outcome<()> {
    let options = Options::parse(env::args().skip(1))?;
    let requests = match options.amount {
        Amount::Test => 2_000,
        Amount::Quick => 100_000,
        Amount::Full => 1_000_000,
    };
    let version = output("redis-server", &["--version"]).unwrap_or_default();
    let version = version.split(' ').find_map(|word| word.strip_prefix("v=")).unwrap_or_default();
    let settings =
        [("requests", requests.into()), ("keys", KEYS.into()), ("redis", version.into())];
    let record = Record::new(&in_memory(), settings)?
        .units(Unit::PerSecond, &["rate"])
        .units(Unit::Second, &["client", "server", "nodes"]);
    let mut record = options.continued(record)?;
    let Some(cluster) = Cluster::start(0, NO_LOG, PATIENT) else { return Ok(()) };
    for (work, ask, depth) in [("get1", "get", 1), ("get16", "get", 16), ("set16", "set", 16)] {
        // Fewer where each waits for a round trip.
        let requests = if depth == 1 { requests / 4 } else { requests };
        for (who, servers) in [("redis-benchmark", 0), ("one-server", 1), ("two-servers", 2)] {
            if !options.wants(&format!("{work}/{who}")) {
                continue;
            }
            eprintln!("{work}/{who}");
            let figures = asked(&cluster, ask, depth, requests, servers)?;
            record.add(format!("{work}/{who}"), figures);
        }
    }
    println!("{}", peers::cluster(&record));
    options.keep(&record)
}

/// So many requests, by so many servers of ours or straight.
fn asked(
    cluster: &Cluster,
    ask: &str,
    depth: usize,
    requests: usize,
    servers: usize,
) -> Outcome<Figures> {
    let nodes = cluster.addrs();
    let (_, port) = nodes[0].split_once(':').unwrap_or_default();
    let dir = tempfile::tempdir_in(in_memory())?;
    let server = |_| -> Outcome<Server> {
        let mut server = this_program_as("kvs")?;
        server.args(["server", "--engine", "redis-cluster", "--nodes", &nodes[0]]);
        Ok(Server::start(&mut server, dir.path())?)
    };
    let servers = (0..servers).map(server).collect::<Outcome<Vec<_>>>()?;
    let share = servers.len().max(1);
    let [depth, keys, clients, of_each] =
        [depth, KEYS, CLIENTS / share, requests / share].map(|number| number.to_string());
    let mut straight = Command::new("redis-benchmark");
    straight.args(["--cluster", "-p", port, "-t", ask, "-d", "16", "--csv", "-r", &keys]);
    straight.args(["-P", &depth, "-c", &clients, "-n", &of_each]);
    let over = |server: &Server| -> Outcome<Command> {
        let mut bench = this_program_as("kvs")?;
        bench.args(["bench", "--json", "--addr", &server.addr.to_string(), "--keys", &keys]);
        bench.args(["--pipeline", &depth, "--clients", &clients, "--requests", &of_each]);
        bench.args(["--read-ratio", if ask == "get" { "1" } else { "0" }]);
        Ok(bench)
    };
    let benches = match &servers[..] {
        [] => vec![straight],
        servers => servers.iter().map(over).collect::<Outcome<_>>()?,
    };
    cluster.ask_all(&["config", "resetstat"]);
    let pids: [Vec<u32>; 2] = [
        servers.iter().map(Server::pid).collect(),
        (0..nodes.len()).map(|node| cluster.pid(node)).collect(),
    ];
    let cpu = || -> Outcome<[f64; 3]> {
        let [servers, nodes] = pids
            .each_ref()
            .map(|pids| pids.iter().map(|pid| Ok(Usage::of(*pid)?.cpu)).sum::<Outcome<f64>>());
        Ok([cpu_of_children()?, servers?, nodes?])
    };
    let before = cpu()?;
    let spawn = |mut bench: Command| bench.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let running = benches.into_iter().map(spawn).collect::<Result<Vec<_>, _>>()?;
    let mut rate = 0.0;
    for bench in running {
        let said = bench.wait_with_output()?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        // `…"rate_per_s":123456.78,…`, or of Redis, in the last line, `"GET","123456.78",…`.
        let found = match text.split_once("\"rate_per_s\":") {
            Some((_, rest)) => rest.split(',').next(),
            None => text.lines().last().and_then(|line| line.split('"').nth(3)),
        };
        let found = found.and_then(|rate| rate.parse::<f64>().ok());
        rate += found.ok_or_else(|| format!("a bench says no rate: {text}"))?;
    }
    let after = cpu()?;
    let [client, server, node] =
        [0, 1, 2].map(|part: usize| (after[part] - before[part]) / requests as f64);
    let calls = |node| {
        let stats = cluster.ask(node, &["info", "commandstats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_")?.strip_prefix(ask));
        let calls = line.and_then(|line| line.strip_prefix(":calls=")?.split(',').next());
        calls.and_then(|calls| calls.parse::<f64>().ok()).unwrap_or(0.0)
    };
    let calls: Vec<f64> = (0..nodes.len()).map(calls).collect();
    let all: f64 = calls.iter().sum();
    // What wrote the keys before is no request.
    let written = if ask == "set" { KEYS * servers.len() } else { 0 };
    let figures = [
        ("rate", rate),
        ("client", client),
        ("server", server),
        ("nodes", node),
        ("calls", (all - written as f64) / requests as f64),
        ("busiest", calls.iter().copied().fold(0.0, f64::max) / all),
    ];
    Ok(figures.map(|(name, figure)| (name.to_owned(), figure)).into())
}
