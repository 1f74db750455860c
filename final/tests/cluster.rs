//! The engine on a real Redis Cluster: six processes on loopback, three primaries with a replica each, that
//! the tests start, stop, kill and end themselves. Where `redis-server` is missing they say so and do nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use kvs_final::{Durability, KvsEngine, KvsError, Result, Write};
use kvs_final::{RedisClusterEngine, RedisClusterOptions};
use kvs_test_kit::{server::in_memory, until};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;
use tempfile::TempDir;

/// One cluster at a time: more would only wait for each other's processors.
static ONE: Mutex<()> = Mutex::new(());
/// The nodes' log: none, or one that is synced before each answer.
const NO_LOG: [&str; 2] = ["no", "everysec"];
const SYNCED: [&str; 2] = ["yes", "always"];

struct Cluster {
    nodes: Vec<Node>,
    log: [&'static str; 2],
    _dir: TempDir,
    _one: MutexGuard<'static, ()>,
}

struct Node {
    port: u16,
    dir: std::path::PathBuf,
    process: Option<Child>,
}

impl Cluster {
    /// Returns when all nodes agree that all is well; none if `redis-server` is missing.
    fn start(log: [&'static str; 2]) -> Option<Cluster> {
        let version = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        if version.is_err() {
            println!("skipped: there is no redis-server");
            return None;
        }
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = in_memory();
        let ports: Vec<_> = std::iter::repeat_with(free_ports).flatten().take(6).collect();
        let node = |(port, ..): &(u16, _, _)| {
            let dir = dir.path().join(port.to_string());
            std::fs::create_dir(&dir).unwrap();
            Node { port: *port, dir, process: None }
        };
        let nodes = ports.iter().map(node).collect();
        drop(ports);
        let mut cluster = Cluster { nodes, log, _dir: dir, _one: one };
        (0..6).for_each(|node| cluster.run(node));
        let addrs = cluster.addrs();
        let mut create = vec!["--cluster", "create"];
        create.extend(addrs.iter().map(String::as_str));
        create.extend(["--cluster-replicas", "1", "--cluster-yes"]);
        cli(&create).unwrap();
        cluster.settle();
        Some(cluster)
    }

    fn addrs(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect()
    }

    fn run(&mut self, node: usize) {
        let Node { port, dir, process } = &mut self.nodes[node];
        let [appendonly, appendfsync] = self.log;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
        command.args(["--appendonly", appendonly, "--appendfsync", appendfsync]);
        command.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "500"]);
        command.args(["--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0"]);
        command.args(["--cluster-allow-replica-migration", "no"]);
        *process = Some(command.current_dir(dir).stdout(Stdio::null()).spawn().unwrap());
        until("a node listens", || cli(&["-p", &port.to_string(), "ping"]).is_ok());
    }

    fn ask(&self, node: usize, command: &[&str]) -> String {
        let port = self.nodes[node].port.to_string();
        cli(&[&["-p", &port], command].concat()).unwrap_or_default()
    }

    /// Waits until all nodes run, each slot has a primary, and each replica has what its primary has.
    fn settle(&self) {
        let is_well = |node| {
            let role = self.ask(node, &["info", "replication"]);
            self.ask(node, &["cluster", "info"]).contains("cluster_state:ok")
                && self.ask(node, &["cluster", "slots"]).matches("127.0.0.1").count() >= 6
                && (role.contains("connected_slaves:1") && role.contains("state=online")
                    || role.contains("master_link_status:up"))
        };
        until("the cluster is well", || (0..6).all(is_well));
    }

    /// The primary of a key's slot, and its replica.
    fn pair_of(&self, key: &str) -> (usize, usize) {
        let slot = self.ask(0, &["cluster", "keyslot", key]);
        let number = |port: &str| self.nodes.iter().position(|node| node.port.to_string() == port);
        let slots = self.ask(0, &["cluster", "slots"]);
        let lines: Vec<&str> = slots.lines().collect();
        let parse = |line: &str| line.trim().parse::<u32>().unwrap_or(u32::MAX);
        // Start, end, then host, port and name of the primary and of the replica.
        let at = (0..lines.len() - 6).find(|at| {
            let range = parse(lines[*at])..=parse(lines[at + 1]);
            lines[at + 2] == "127.0.0.1" && range.contains(&parse(&slot))
        });
        let at = at.unwrap();
        let ports: Vec<&str> =
            lines[at + 2..].iter().copied().filter(|l| number(l).is_some()).collect();
        (number(ports[0]).unwrap(), number(ports[1]).unwrap())
    }

    fn open(&self, durability: Option<Durability>) -> Result<RedisClusterEngine> {
        let timeout = Duration::from_secs(5);
        RedisClusterEngine::open(&self.addrs(), RedisClusterOptions { durability, timeout })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in self.nodes.iter_mut().filter_map(|node| node.process.as_mut()) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A port whose number plus 10000, which the cluster's bus has, is free too. Both are held.
fn free_ports() -> Option<(u16, TcpListener, TcpListener)> {
    let one = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = one.local_addr().unwrap().port();
    let bus = TcpListener::bind(("127.0.0.1", port.checked_add(10_000)?)).ok()?;
    Some((port, one, bus))
}

fn cli(arguments: &[&str]) -> std::result::Result<String, String> {
    let output = Command::new("redis-cli").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() { Ok(text) } else { Err(text) }
}

fn set(engine: &RedisClusterEngine, key: &str, value: &str) -> Result<()> {
    engine.set(key.to_owned(), value.to_owned())
}

fn get(engine: &RedisClusterEngine, key: &str) -> Result<Option<String>> {
    engine.get(key.to_owned())
}

/// All keys of a walk.
fn walk(engine: &RedisClusterEngine, limit: usize) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = engine.keys(cursor, limit).unwrap();
        assert!(page.keys.len() <= limit);
        all.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            all.sort();
            all.dedup();
            return all;
        }
    }
}

#[test]
fn each_operation_means_what_it_means_for_the_other_engines() {
    let Some(cluster) = Cluster::start(NO_LOG) else { return };
    let engine = cluster.open(None).unwrap();
    let text = |text: &str| Some(text.to_owned());
    let compare = |key: &str, expected, new| engine.compare_and_set(key.to_owned(), expected, new);

    assert_eq!(get(&engine, "a").unwrap(), None);
    set(&engine, "a", "1").unwrap();
    assert_eq!(get(&engine, "a").unwrap(), text("1"));
    engine.remove("a".to_owned()).unwrap();
    assert!(matches!(engine.remove("a".to_owned()), Err(KvsError::KeyNotFound)));

    compare("a", None, text("1")).unwrap();
    assert!(matches!(compare("a", None, text("2")), Err(KvsError::Mismatch)));
    assert!(matches!(compare("a", text(""), text("2")), Err(KvsError::Mismatch)));
    compare("a", text("1"), text("")).unwrap();
    compare("a", text(""), None).unwrap();
    assert_eq!(get(&engine, "a").unwrap(), None);

    let batch = |keys: [&str; 3]| {
        let [one, two, gone] = keys.map(str::to_owned);
        engine.write_batch(vec![(one, text("1")), (two, text("")), (gone, None)])
    };
    batch(["{t}1", "{t}2", "{t}3"]).unwrap();
    assert_eq!(get(&engine, "{t}1").unwrap(), text("1"));
    assert_eq!(get(&engine, "{t}2").unwrap(), text(""));
    engine.write_batch(Vec::new()).unwrap();
    let apart = batch(["1", "2", "3"]).unwrap_err();
    assert!(matches!(apart, KvsError::Unsupported { .. }), "{apart}");
    assert_eq!(get(&engine, "1").unwrap(), None);

    let (list_at, _) = cluster.pair_of("list");
    cluster.ask(list_at, &["rpush", "list", "1"]);
    let other_type = get(&engine, "list").unwrap_err().to_string();
    assert!(other_type.contains("WRONGTYPE"), "{other_type}");
    let other_type = compare("list", None, text("1")).unwrap_err().to_string();
    assert!(other_type.contains("WRONGTYPE"), "{other_type}");
    let (at, _) = cluster.pair_of("bytes");
    cluster.ask(at, &["eval", "return redis.call('SET', KEYS[1], '\\255')", "1", "bytes"]);
    let no_text = get(&engine, "bytes").unwrap_err().to_string();
    assert!(no_text.contains("not UTF-8"), "{no_text}");

    let mut all: Vec<String> = (0..500).map(|number| format!("key{number}")).collect();
    let writes = all.iter().map(|key| Write::Set { key: key.clone(), value: key.clone() });
    let (answer, answers) = mpsc::channel();
    engine.round(writes.map(|write| {
        let answer = answer.clone();
        (write, move |result: Result<()>| answer.send(result).unwrap())
    }));
    (0..500).for_each(|_| answers.recv().unwrap().unwrap());
    all.extend(["{t}1", "{t}2", "bytes"].map(str::to_owned));
    all.sort();
    assert_eq!(engine.len().unwrap(), all.len() as u64 + 1, "with the list");
    for limit in [1, 7, 10_000] {
        assert_eq!(walk(&engine, limit), all);
    }
    let nonsense = engine.keys(text("nonsense"), 1).unwrap_err();
    assert!(matches!(nonsense, KvsError::Cursor { .. }), "{nonsense}");
}

#[test]
fn a_get_sees_the_write_that_was_begun_before_it() {
    let Some(cluster) = Cluster::start(NO_LOG) else { return };
    let engine = cluster.open(None).unwrap();
    let (answer, answers) = mpsc::channel();
    // Keys of one slot, so that they wait in one lane, and of others.
    for number in 0..20_000 {
        let key = format!("{{{}}}{}", number % 5, number % 7);
        let value = number.to_string();
        engine.set_then(key.clone(), value.clone(), |result| result.unwrap());
        let answer = answer.clone();
        engine.get_then(key, move |found| answer.send((found.unwrap(), value)).unwrap());
    }
    drop(answer);
    let mut count = 0;
    for (found, written) in answers {
        assert_eq!(found, Some(written));
        count += 1;
    }
    assert_eq!(count, 20_000);
}

#[test]
fn a_durability_that_the_nodes_do_not_give_is_refused() {
    let Some(cluster) = Cluster::start(NO_LOG) else { return };
    for (log, given) in [
        (NO_LOG, [false; 3]),
        (["yes", "everysec"], [false; 3]),
        (["yes", "no"], [false, false, true]),
        (SYNCED, [true; 3]),
    ] {
        for node in 0..6 {
            cluster.ask(node, &["acl", "setuser", "default", "+config"]);
            cluster.ask(node, &["config", "set", "appendonly", log[0], "appendfsync", log[1]]);
        }
        let levels = [Durability::Always, Durability::default(), Durability::Os];
        for (level, is_given) in levels.into_iter().zip(given) {
            let opened = cluster.open(Some(level));
            assert_eq!(opened.is_ok(), is_given, "{log:?} {level}: {:?}", opened.err());
            if let Ok(engine) = opened {
                set(&engine, "key", "value").unwrap();
                let confirms = engine.promise().contains("the replica that has confirmed it");
                assert_eq!(confirms, level == Durability::Always, "{}", engine.promise());
            }
        }
        let words = if log == NO_LOG { "appendonly no" } else { log[1] };
        let promise = cluster.open(None).unwrap().promise().to_owned();
        assert!(promise.contains(words) && promise.contains("failover"), "{promise}");

        // As where the nodes are somebody else's.
        for node in 0..6 {
            cluster.ask(node, &["acl", "setuser", "default", "-config"]);
        }
        assert!(cluster.open(Some(Durability::Os)).is_err());
        let promise = cluster.open(None).unwrap().promise().to_owned();
        assert!(promise.contains("isn't known") && promise.contains("NOPERM"), "{promise}");
    }
}
