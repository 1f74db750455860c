//! The engine on a real Redis Cluster: six processes on loopback, three primaries with a replica each, that
//! the tests start, stop, kill and end themselves. Where `redis-server` is missing they say so and do nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "promises/history.rs"]
#[allow(dead_code)] // what the promises need of it
mod history;

use history::{Checker, Event, Op};
use kvs_final::{Durability, KvsClient, KvsEngine, KvsError, Limits, Result, Write};
use kvs_final::{RedisClusterEngine, RedisClusterOptions};
use kvs_test_kit::environment::pick;
use kvs_test_kit::local::Local;
use kvs_test_kit::{process, server::in_memory, until};
use rand::RngExt;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// One cluster at a time: more would only wait for each other's processors.
static ONE: Mutex<()> = Mutex::new(());
/// The nodes' log: none, or one that is synced before each answer.
const NO_LOG: [&str; 2] = ["no", "everysec"];
const SYNCED: [&str; 2] = ["yes", "always"];
/// How long the nodes wait for one of theirs, in milliseconds: short where that is what a test is about. Elsewhere
/// a busy machine must not have a replica take over.
const PATIENT: u32 = 10_000;
const HASTY: u32 = 1_000;

struct Cluster {
    nodes: Vec<Node>,
    log: [&'static str; 2],
    patience: u32,
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
    fn start(log: [&'static str; 2], patience: u32) -> Option<Cluster> {
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
        let mut cluster = Cluster { nodes, log, patience, _dir: dir, _one: one };
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
        command.args(["--cluster-enabled", "yes", "--cluster-node-timeout"]);
        command.arg(self.patience.to_string());
        command.args(["--repl-diskless-sync-delay", "0"]);
        command.args(["--cluster-allow-replica-migration", "no"]);
        *process = Some(command.current_dir(dir).stdout(Stdio::null()).spawn().unwrap());
        until("a node listens", || cli(&["-p", &port.to_string(), "ping"]).is_ok());
    }

    fn kill(&mut self, node: usize) {
        let mut process = self.nodes[node].process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    fn signal(&self, node: usize, signal: &str) {
        process::signal(self.nodes[node].process.as_ref().unwrap().id(), signal);
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

    fn is_primary(&self, node: usize) -> bool {
        self.nodes[node].process.is_some() && self.ask(node, &["role"]).starts_with("master")
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
        let timeout = Duration::from_secs(10);
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

/// Begins many and waits for all.
fn get_all(engine: &RedisClusterEngine, keys: &[String]) -> Vec<Result<Option<String>>> {
    let answers = keys.iter().map(|key| {
        let (answer, answered) = mpsc::channel();
        engine.get_then(key.clone(), move |found| answer.send(found).unwrap());
        answered
    });
    let answers: Vec<_> = answers.collect();
    answers.iter().map(|answer| answer.recv().unwrap()).collect()
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
    let Some(cluster) = Cluster::start(NO_LOG, PATIENT) else { return };
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
    let Some(cluster) = Cluster::start(SYNCED, PATIENT) else { return };
    // With `always`, gets and writes go over connections of their own.
    for durability in [None, Some(Durability::Always)] {
        let engine = cluster.open(durability).unwrap();
        let (answer, answers) = mpsc::channel();
        // Keys of one slot, so that they wait in one lane, and of others.
        for number in 0..1_000 {
            let key = format!("{{{}}}{}", number % 5, number % 7);
            let value = number.to_string();
            engine.set_then(key.clone(), value.clone(), |result| result.unwrap());
            let answer = answer.clone();
            engine.get_then(key, move |found| answer.send((found.unwrap(), value)).unwrap());
        }
        drop(answer);
        let answers: Vec<_> = answers.into_iter().collect();
        assert_eq!(answers.len(), 1_000);
        for (found, written) in answers {
            assert_eq!(found, Some(written));
        }
    }
}

#[test]
fn a_durability_that_the_nodes_do_not_give_is_refused() {
    let Some(cluster) = Cluster::start(NO_LOG, PATIENT) else { return };
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

/// Clients that read, write and remove a few keys, and set keys of their own, until they are stopped.
#[derive(Default)]
struct Load {
    name: String,
    is_over: AtomicBool,
    answered: AtomicU32,
    /// `AcqRel`, so that a client's operation stays between its two moments.
    moments: AtomicU32,
    values: AtomicU32,
    /// For the checker, who writes is another client after each write that wasn't answered.
    clients: AtomicU8,
}

/// What they saw.
#[derive(Default)]
struct Seen {
    events: Vec<Event>,
    /// Keys that were set once, and the set acknowledged; each has itself for a value.
    acknowledged: Vec<String>,
    /// Messages of errors.
    errors: Vec<String>,
}

impl Load {
    /// Has eight clients ask the engine while `fault` runs.
    fn run(name: String, engine: &RedisClusterEngine, fault: impl FnOnce(&Load)) -> Seen {
        let load = Load { name, ..Load::default() };
        thread::scope(|scope| {
            let clients = [(); 8].map(|()| scope.spawn(|| load.client(engine)));
            let fault = catch_unwind(AssertUnwindSafe(|| fault(&load)));
            load.is_over.store(true, Ordering::Relaxed);
            fault.unwrap_or_else(|panic| resume_unwind(panic));
            let mut all = Seen::default();
            for seen in clients.map(|client| client.join().unwrap()) {
                all.events.extend(seen.events);
                all.acknowledged.extend(seen.acknowledged);
                all.errors.extend(seen.errors);
            }
            all
        })
    }

    fn wait_for_answers(&self, more: u32) {
        let until_now = self.answered.load(Ordering::Relaxed);
        until("the clients get answers", || {
            self.answered.load(Ordering::Relaxed) >= until_now + more
        });
    }

    fn moment(&self) -> u32 {
        self.moments.fetch_add(1, Ordering::AcqRel)
    }

    fn client(&self, engine: &RedisClusterEngine) -> Seen {
        let (mut seen, mut random) = (Seen::default(), rand::rng());
        let [reader, mut writer] = [(); 2].map(|()| self.clients.fetch_add(1, Ordering::Relaxed));
        while !self.is_over.load(Ordering::Relaxed) {
            let number = random.random_range(0..16);
            let key = format!("{}-{number}", self.name);
            let value = 1 + self.values.fetch_add(1, Ordering::Relaxed);
            let kind = random.random_range(0..10);
            let call = self.moment();
            let (op, result) = match kind {
                // The checker knows 64 clients; who was the last of them doesn't write these keys any more.
                4..7 if writer >= 64 => continue,
                0..4 => match get(engine, &key) {
                    // What is no number was written by none of us.
                    Ok(found) => {
                        (Op::Found(found.map_or(0, |found| found.parse().unwrap())), Ok(()))
                    }
                    Err(error) => {
                        seen.errors.push(error.to_string());
                        continue;
                    }
                },
                4 => match engine.remove(key) {
                    Ok(()) => (Op::Removed, Ok(())),
                    Err(KvsError::KeyNotFound) => (Op::Found(0), Ok(())),
                    Err(error) => (Op::MaybeRemoved, Err(error)),
                },
                5..7 => (Op::Set(value), set(engine, &key, &value.to_string())),
                _ => {
                    let own = format!("{}-own-{value}", self.name);
                    match set(engine, &own, &own) {
                        Ok(()) => seen.acknowledged.push(own),
                        Err(error) => seen.errors.push(error.to_string()),
                    }
                    continue;
                }
            };
            let end = result.is_ok().then(|| self.moment());
            let client = if kind < 4 { reader } else { writer };
            seen.events.push(Event { key: number, client, op, call, end });
            self.answered.fetch_add(result.is_ok().into(), Ordering::Relaxed);
            if let Err(error) = result {
                seen.errors.push(error.to_string());
                let used = self.clients.load(Ordering::Relaxed);
                writer =
                    if used < 64 { self.clients.fetch_add(1, Ordering::Relaxed) } else { used };
            }
        }
        seen
    }
}

impl Seen {
    /// How many acknowledged writes are gone.
    fn lost(&self, engine: &RedisClusterEngine) -> usize {
        let found = get_all(engine, &self.acknowledged);
        let found = found.into_iter().zip(&self.acknowledged);
        found.filter(|(found, key)| found.as_ref().unwrap().as_ref() != Some(*key)).count()
    }

    /// What the checker says of each key whose history isn't linearizable.
    fn violations(&self) -> Vec<String> {
        let check = |key| {
            let events = self.events.iter().filter(|event| event.key == key).copied().collect();
            Checker::default().check(events, true).err()
        };
        (0..16).filter_map(check).collect()
    }
}

/// Kills primaries under load, one after the other, and lets their replicas take over. Returns how many
/// writes were acknowledged, how many of these were lost, and how many keys weren't linearizable.
fn failovers(cluster: &mut Cluster, durability: Option<Durability>, times: usize) -> [usize; 3] {
    let engine = cluster.open(durability).unwrap();
    let mut sums = [0; 3];
    for time in 0..times {
        let (primary, replica) = cluster.pair_of(&time.to_string());
        let seen = Load::run(format!("{durability:?}-{time}"), &engine, |load| {
            load.wait_for_answers(500);
            cluster.kill(primary);
            until("the replica is promoted", || cluster.is_primary(replica));
            until("its slots are served", || get(&engine, &time.to_string()).is_ok());
            if durability.is_some() {
                let alone = set(&engine, &time.to_string(), "").unwrap_err().to_string();
                assert!(alone.contains("no replica has confirmed"), "{alone}");
            }
            cluster.run(primary);
            until("its writes are kept", || set(&engine, &time.to_string(), "").is_ok());
            load.wait_for_answers(500);
        });
        for error in &seen.errors {
            assert!(error.contains("engine: "), "{error}");
        }
        let of_round = [seen.acknowledged.len(), seen.lost(&engine), seen.violations().len()];
        println!(
            "failover {time}, {durability:?}: acknowledged, lost, not linearizable: {of_round:?}"
        );
        sums = std::array::from_fn(|index| sums[index] + of_round[index]);
        cluster.settle();
    }
    sums
}

#[test]
fn after_the_end_of_a_primary_under_load_its_replica_serves_what_was_acknowledged_but_for_some() {
    for (log, durability) in [(NO_LOG, None), (SYNCED, Some(Durability::Always))] {
        let Some(mut cluster) = Cluster::start(log, HASTY) else { return };
        let times = pick(1, 50);
        let [acknowledged, lost, violations] = failovers(&mut cluster, durability, times);
        println!(
            "{durability:?}: {times} failovers, {acknowledged} acknowledged sets of keys of their own, \
             {lost} of them lost; {violations} of {} shared keys not linearizable",
            16 * times
        );
        assert!(acknowledged > 100 * times && lost * 10 < acknowledged, "{lost} of {acknowledged}");
    }
}

/// So many bytes don't fit into the buffers of a connection over loopback.
const MORE_THAN_BUFFERS: usize = 40 << 20;

#[test]
fn a_failover_to_a_replica_that_was_behind_loses_what_was_acknowledged_and_a_write_that_waits_is_none()
 {
    for (log, durability) in [(NO_LOG, None), (SYNCED, Some(Durability::Always))] {
        let Some(mut cluster) = Cluster::start(log, HASTY) else { return };
        let engine = cluster.open(durability).unwrap();
        let (primary, replica) = cluster.pair_of("{t}");
        cluster.signal(replica, "-STOP");
        let promise = cluster.open(None).unwrap().promise().to_owned();
        assert!(promise.contains("isn't known"), "what a silent node does: {promise}");
        let (last, value) = ("{t}last", "x".repeat(64 << 10));
        if durability.is_some() {
            let message = set(&engine, last, &value).unwrap_err().to_string();
            assert!(message.contains("no replica has confirmed"), "{message}");
        } else {
            for number in 0..MORE_THAN_BUFFERS / value.len() {
                set(&engine, &format!("{{t}}{number}"), &value).unwrap();
            }
            set(&engine, last, &value).unwrap();
        }
        assert!(get(&engine, last).unwrap().is_some());
        cluster.kill(primary);
        cluster.signal(replica, "-CONT");
        until("the replica is promoted", || cluster.is_primary(replica));
        until("its slots are served", || get(&engine, last).is_ok());
        if durability.is_none() {
            assert_eq!(get(&engine, last).unwrap(), None, "what was acknowledged is gone");
        }
    }
}

#[test]
fn a_node_that_is_silent_keeps_no_thread_and_no_request_for_another_node() {
    let Some(cluster) = Cluster::start(NO_LOG, HASTY) else { return };
    let engine = cluster.open(None).unwrap();
    let (silent, replica) = cluster.pair_of("{silent}");
    let names = || (0..).map(|number| format!("{{{number}}}"));
    let other = names().find(|name| cluster.pair_of(name).0 != silent).unwrap();
    let unanswered = names().find(|name| cluster.pair_of(name).0 == silent).unwrap();
    let keys: Vec<String> = (0..1000).map(|number| format!("{{silent}}{number}")).collect();
    keys.iter().chain([&other]).for_each(|key| set(&engine, key, key).unwrap());
    cluster.settle();

    let threads = process::threads(std::process::id());
    cluster.signal(silent, "-STOP");
    let (answer, answers) = mpsc::channel();
    for key in keys.iter().cloned() {
        let answer = answer.clone();
        engine.get_then(key.clone(), move |found| answer.send((key, found)).unwrap());
    }
    let (write, written) = mpsc::channel();
    engine.set_then(unanswered, "1".to_owned(), move |result| write.send(result).unwrap());
    (0..10).for_each(|_| assert_eq!(get(&engine, &other).unwrap().as_ref(), Some(&other)));
    assert!(answers.try_recv().is_err(), "the silent node has none");
    assert_eq!(process::threads(std::process::id()), threads);

    // The reads are asked for again, of the replica once it is promoted; the write is not.
    let message = written.recv().unwrap().unwrap_err().to_string();
    assert!(message.contains("may have been done or not"), "{message}");
    for _ in &keys {
        let (key, found) = answers.recv().unwrap();
        assert_eq!(found.unwrap(), Some(key));
    }
    assert!(cluster.is_primary(replica));
    set(&engine, "{silent}0", "new").unwrap();
    cluster.signal(silent, "-CONT");
    cluster.settle();
    assert!(!cluster.is_primary(silent));
    assert_eq!(get(&engine, "{silent}0").unwrap().unwrap(), "new");
}

#[test]
fn while_slots_move_each_key_is_linearizable_and_no_request_fails() {
    let Some(cluster) = Cluster::start(NO_LOG, PATIENT) else { return };
    let engine = cluster.open(None).unwrap();
    for number in 0..2000 {
        engine.set_then(format!("key{number}"), "value".to_owned(), |result| result.unwrap());
    }
    let first_page = engine.keys(None, 10).unwrap();
    let names: Vec<String> = (0..6).map(|node| cluster.ask(node, &["cluster", "myid"])).collect();
    let primaries: Vec<usize> = (0..6).filter(|node| cluster.is_primary(*node)).collect();
    let increments = AtomicU32::new(0);
    let seen = Load::run("load".to_owned(), &engine, |load| {
        thread::scope(|scope| {
            // A counter in a slot that moves: none of the increments may be lost or done twice.
            let count = || {
                while !load.is_over.load(Ordering::Relaxed) {
                    let old = get(&engine, "{key1}count").unwrap();
                    let new = old.as_ref().map_or(1, |old| old.parse::<u32>().unwrap() + 1);
                    let done = engine.compare_and_set(
                        "{key1}count".to_owned(),
                        old,
                        Some(new.to_string()),
                    );
                    match done {
                        Ok(()) => increments.fetch_add(1, Ordering::Relaxed),
                        Err(KvsError::Mismatch) => 0,
                        Err(error) => panic!("{error}"),
                    };
                    let pair =
                        ["{key1}a", "{key1}b"].map(|key| (key.to_owned(), Some(new.to_string())));
                    engine.write_batch(pair.to_vec()).unwrap();
                }
            };
            (0..2).for_each(|_| drop(scope.spawn(count)));
            load.wait_for_answers(500);
            let (from, _) = cluster.pair_of("{key1}");
            let to = *primaries.iter().find(|node| **node != from).unwrap();
            let addr = cluster.addrs().swap_remove(from);
            let (from, to) = (&*names[from], &*names[to]);
            let reshard =
                ["--cluster", "reshard", &addr, "--cluster-from", from, "--cluster-to", to];
            let all = ["--cluster-slots", "5461", "--cluster-yes"];
            cli(&[&reshard[..], &all].concat()).unwrap();
            load.wait_for_answers(500);
            load.is_over.store(true, Ordering::Relaxed);
        });
    });
    assert!(seen.errors.is_empty(), "{:?}", seen.errors);
    assert_eq!((seen.lost(&engine), seen.violations()), (0, Vec::new()));
    let count = get(&engine, "{key1}count").unwrap().unwrap();
    assert_eq!(count, increments.into_inner().to_string());
    assert!(engine.stats_text().lines().any(|line| {
        line.split_once("cluster_requests_again ").is_some_and(|(_, again)| again != "0")
    }));
    let mut cursor = first_page.cursor;
    let changed = loop {
        // It may still have keys of the page before.
        match engine.keys(cursor, 10) {
            Ok(page) => cursor = Some(page.cursor.unwrap()),
            Err(error) => break error.to_string(),
        }
    };
    assert!(changed.contains("begin again"), "{changed}");
    assert_eq!(walk(&engine, 1000).iter().filter(|key| key.starts_with("key")).count(), 2000);
}

#[test]
fn a_server_outlives_its_cluster_and_finds_it_again() {
    let Some(mut cluster) = Cluster::start(SYNCED, HASTY) else { return };
    let engine = cluster.open(None).unwrap();
    let server = Local::start(engine, Limits::default());
    let mut client = KvsClient::connect(server.addr).unwrap();
    client.set("key".to_owned(), "value".to_owned()).unwrap();
    (0..6).for_each(|node| cluster.kill(node));
    let message = client.get("key".to_owned()).unwrap_err().to_string();
    assert!(message.contains("refused"), "{message}");
    (0..6).for_each(|node| cluster.run(node));
    let mut found = Err(KvsError::KeyNotFound);
    until("the cluster is found again", || {
        found = client.get("key".to_owned());
        found.is_ok()
    });
    assert_eq!(found.unwrap(), Some("value".to_owned()));
}
