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
use kvs_bench_kit::usage::{Running, Usage, cpu_of_children};
use kvs_bench_kit::{Outcome, Record, Unit, peers};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, iter};

const CLIENTS: usize = 16;
const KEYS: usize = 1000;

/// This program is `kvs`, too, by the name of its process.
fn main() -> ExitCode {
    if env::args().next().is_some_and(|name| name == "kvs") {
        return kvs_final::cli::kvs();
    }
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Outcome<()> {
    let options = Options::parse(env::args().skip(1))?;
    let requests = match options.amount {
        Amount::Test => 2_000,
        Amount::Quick => 100_000,
        Amount::Full => 1_000_000,
    };
    let Ok(version) = output("redis-server", &["--version"]) else {
        println!("left out: there is no redis-server");
        return Ok(());
    };
    let version = version.split(' ').find_map(|word| word.strip_prefix("v=")).unwrap_or_default();
    let settings =
        [("requests", requests.into()), ("keys", KEYS.into()), ("redis", version.into())];
    let record = Record::new(&in_memory(), settings)?
        .units(Unit::PerSecond, &["rate"])
        .units(Unit::Second, &["client", "server", "nodes"]);
    let mut record = options.continued(record)?;
    let dir = tempfile::tempdir_in(in_memory())?;
    let nodes = Nodes::start(dir.path())?;
    for (work, ask, depth) in [("get1", "get", 1), ("get16", "get", 16), ("set16", "set", 16)] {
        // Fewer where each waits for a round trip.
        let requests = if depth == 1 { requests / 4 } else { requests };
        for (who, servers) in [("redis-benchmark", 0), ("one-server", 1), ("two-servers", 2)] {
            if !options.wants(&format!("{work}/{who}")) {
                continue;
            }
            eprintln!("{work}/{who}");
            let figures = nodes.asked(ask, depth, requests, servers)?;
            record.add(format!("{work}/{who}"), figures);
        }
    }
    println!("{}", peers::cluster(&record));
    options.json.map_or(Ok(()), |path| record.write(&path))
}

/// Three primaries, and the addresses of all that runs.
struct Nodes {
    processes: Vec<Running>,
    ports: Vec<String>,
}

impl Nodes {
    fn start(dir: &std::path::Path) -> Outcome<Nodes> {
        let held: Vec<_> = iter::repeat_with(free_ports).flatten().take(3).collect();
        let ports = held.iter().map(|(port, ..)| port.to_string()).collect();
        drop(held);
        let mut nodes = Nodes { processes: Vec::new(), ports };
        for port in &nodes.ports {
            let mut node = Command::new("redis-server");
            node.args(["--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"]);
            node.args(["--cluster-enabled", "yes", "--cluster-config-file"]);
            node.arg(format!("nodes-{port}")).current_dir(dir).stdout(Stdio::null());
            nodes.processes.push(Running(node.spawn()?));
            until("a node listens", || output("redis-cli", &["-p", port, "ping"]).is_ok())?;
        }
        let addrs = nodes.ports.iter().map(|port| format!("127.0.0.1:{port}"));
        let create = ["--cluster", "create"].map(str::to_owned).into_iter().chain(addrs);
        let create: Vec<String> = create.chain(["--cluster-yes".to_owned()]).collect();
        output("redis-cli", &create.iter().map(String::as_str).collect::<Vec<_>>())?;
        let is_well =
            |port: &String| nodes.ask(port, &["cluster", "info"]).contains("cluster_state:ok");
        until("the cluster is well", || nodes.ports.iter().all(is_well))?;
        Ok(nodes)
    }

    /// What a node says; nothing if it says nothing.
    fn ask(&self, port: &str, command: &[&str]) -> String {
        output("redis-cli", &[&["-p", port], command].concat()).unwrap_or_default()
    }

    fn cpu(of: &[Running]) -> Outcome<f64> {
        of.iter().map(|process| Ok(Usage::of(process.0.id())?.cpu)).sum()
    }

    /// So many requests, by so many servers of ours or straight.
    fn asked(&self, ask: &str, depth: usize, requests: usize, servers: usize) -> Outcome<Figures> {
        let started = (0..servers).map(|_| server(&self.ports[0])).collect::<Outcome<Vec<_>>>()?;
        let (servers, addrs): (Vec<Running>, Vec<String>) = started.into_iter().unzip();
        let [depth, keys] = [depth, KEYS].map(|number| number.to_string());
        let straight = || {
            let mut bench = Command::new("redis-benchmark");
            bench.args(["--cluster", "-p", &self.ports[0], "-t", ask, "-d", "16", "--csv"]);
            bench.args(["-r", &keys, "-P", &depth, "-c", &CLIENTS.to_string()]);
            bench.args(["-n", &requests.to_string()]);
            bench
        };
        let over = |addr: &String| -> Outcome<Command> {
            let mut bench = Command::new(env::current_exe()?);
            bench.arg0("kvs").args([
                "bench",
                "--addr",
                addr,
                "--keys",
                &keys,
                "--pipeline",
                &depth,
            ]);
            bench.args(["--clients", &(CLIENTS / addrs.len()).to_string(), "--requests"]);
            bench.args([&(requests / addrs.len()).to_string(), "--read-ratio"]);
            bench.arg(if ask == "get" { "1" } else { "0" });
            Ok(bench)
        };
        let benches = match &addrs[..] {
            [] => vec![straight()],
            addrs => addrs.iter().map(over).collect::<Outcome<_>>()?,
        };
        for port in &self.ports {
            self.ask(port, &["config", "resetstat"]);
        }
        let cpu = || -> Outcome<[f64; 3]> {
            Ok([cpu_of_children()?, Self::cpu(&servers)?, Self::cpu(&self.processes)?])
        };
        let before = cpu()?;
        let spawn = |mut bench: Command| bench.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let running = benches.into_iter().map(spawn).collect::<Result<Vec<_>, _>>()?;
        let mut rate = 0.0;
        for bench in running {
            let said = bench.wait_with_output()?;
            let text = String::from_utf8_lossy(&said.stdout).into_owned();
            // `"GET","123456.78",…`, or `100000 requests in 1.23 s: 81301 requests/s`.
            let found = text.lines().find_map(|line| match line.split_once(" s: ") {
                Some((_, rate)) => rate.split(' ').next()?.parse::<f64>().ok(),
                None => line.split('"').nth(3)?.parse().ok(),
            });
            rate += found.ok_or_else(|| format!("a bench says no rate: {text}"))?;
        }
        let after = cpu()?;
        let [client, server, nodes] =
            [0, 1, 2].map(|part: usize| (after[part] - before[part]) / requests as f64);
        let calls = |port: &String| {
            let stats = self.ask(port, &["info", "commandstats"]);
            let line =
                stats.lines().find_map(|line| line.strip_prefix("cmdstat_")?.strip_prefix(ask));
            let calls = line.and_then(|line| line.strip_prefix(":calls=")?.split(',').next());
            calls.and_then(|calls| calls.parse::<f64>().ok()).unwrap_or(0.0)
        };
        let calls: Vec<f64> = self.ports.iter().map(calls).collect();
        let all: f64 = calls.iter().sum();
        // What wrote the keys before is no request.
        let written = if ask == "set" { KEYS * addrs.len() } else { 0 };
        let figures = [
            ("rate", rate),
            ("client", client),
            ("server", server),
            ("nodes", nodes),
            ("calls", (all - written as f64) / requests as f64),
            ("busiest", calls.iter().copied().fold(0.0, f64::max) / all),
        ];
        Ok(figures.map(|(name, figure)| (name.to_owned(), figure)).into())
    }
}

/// A port whose number plus 10000, which the cluster's bus has, is free too. Both are held.
fn free_ports() -> Option<(u16, TcpListener, TcpListener)> {
    let one = TcpListener::bind("127.0.0.1:0").ok()?;
    let port = one.local_addr().ok()?.port();
    Some((port, one, TcpListener::bind(("127.0.0.1", port.checked_add(10_000)?)).ok()?))
}

/// A server of ours, and its address.
fn server(node: &str) -> Outcome<(Running, String)> {
    let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let mut server = Command::new(env::current_exe()?);
    server.arg0("kvs").args(["server", "--engine", "redis-cluster", "--addr", &addr, "--nodes"]);
    let server = server.arg(format!("127.0.0.1:{node}")).stderr(Stdio::null()).spawn()?;
    let server = Running(server);
    until("a server listens", || TcpStream::connect(&addr).is_ok())?;
    Ok((server, addr))
}

fn until(what: &str, is_so: impl Fn() -> bool) -> Outcome<()> {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > Duration::from_secs(60) {
            return Err(format!("not within a minute: {what}").into());
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}
