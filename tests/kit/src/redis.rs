//! A real Redis Cluster: processes on loopback, three primaries and their replicas.

use crate::{process, server::in_memory, until};
use rand::RngExt;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::iter::repeat_with;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The nodes' log: none.
pub const NO_LOG: [&str; 2] = ["no", "everysec"];
/// One that is synced before each answer.
pub const SYNCED: [&str; 2] = ["yes", "always"];
/// How long the nodes wait for one of theirs, in milliseconds. A busy machine must not have a replica take over,
pub const PATIENT: u32 = 10_000;
/// unless that is what a test is about.
pub const HASTY: u32 = 1_000;

/// The cluster. It ends when this is dropped.
pub struct Cluster {
    nodes: Vec<Node>,
    log: [&'static str; 2],
    patience: u32,
    _dir: TempDir,
}

struct Node {
    port: u16,
    dir: std::path::PathBuf,
    process: Option<Child>,
}

impl Cluster {
    /// Three primaries with so many replicas each. Returns when all nodes agree that all is well; none if
    /// `redis-server` is missing.
    pub fn start(replicas: usize, log: [&'static str; 2], patience: u32) -> Option<Cluster> {
        let version = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        if version.is_err() {
            println!("skipped: there is no redis-server");
            return None;
        }
        let dir = in_memory();
        let ports: Vec<_> = repeat_with(free_ports).flatten().take(3 + 3 * replicas).collect();
        let node = |(port, ..): &(u16, _, _)| {
            let dir = dir.path().join(port.to_string());
            std::fs::create_dir(&dir).unwrap();
            Node { port: *port, dir, process: None }
        };
        let nodes = ports.iter().map(node).collect();
        drop(ports);
        let mut cluster = Cluster { nodes, log, patience, _dir: dir };
        (0..cluster.nodes.len()).for_each(|node| cluster.run(node));
        let (addrs, replicas) = (cluster.addrs(), replicas.to_string());
        let mut create = vec!["--cluster", "create"];
        create.extend(addrs.iter().map(String::as_str));
        create.extend(["--cluster-replicas", &replicas, "--cluster-yes"]);
        cli(&create).unwrap();
        cluster.settle();
        Some(cluster)
    }

    /// Of all nodes.
    pub fn addrs(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect()
    }

    /// Starts a node.
    pub fn run(&mut self, node: usize) {
        let Node { port, dir, process } = &mut self.nodes[node];
        let [appendonly, appendfsync] = self.log;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
        command.args(["--appendonly", appendonly, "--appendfsync", appendfsync]);
        command.args(["--cluster-enabled", "yes", "--cluster-node-timeout"]);
        command.arg(self.patience.to_string());
        command.args(["--repl-diskless-sync-delay", "0"]);
        command.args(["--cluster-allow-replica-migration", "no"]);
        let process =
            process.insert(command.current_dir(dir).stdout(Stdio::null()).spawn().unwrap());
        until("a node listens", || {
            assert_eq!(process.try_wait().unwrap(), None, "port {port}");
            ask(*port, &["ping"]).is_ok()
        });
    }

    /// Ends a node by SIGKILL.
    pub fn kill(&mut self, node: usize) {
        let mut process = self.nodes[node].process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// The number of a node's process.
    pub fn pid(&self, node: usize) -> u32 {
        self.nodes[node].process.as_ref().unwrap().id()
    }

    /// Sends a node a signal, such as `-STOP`.
    pub fn signal(&self, node: usize, signal: &str) {
        process::signal(self.pid(node), signal);
    }

    /// What a node says to a command; nothing if it says nothing.
    pub fn ask(&self, node: usize, command: &[&str]) -> String {
        ask(self.nodes[node].port, command).unwrap_or_default()
    }

    /// Has all nodes do a command.
    pub fn ask_all(&self, command: &[&str]) {
        (0..self.nodes.len()).for_each(|node| drop(self.ask(node, command)));
    }

    /// Gives all nodes another log, also those that are run from now on.
    pub fn set_log(&mut self, log: [&'static str; 2]) {
        self.log = log;
        self.ask_all(&["config", "set", "appendonly", log[0], "appendfsync", log[1]]);
    }

    /// Waits until all nodes run, each slot has a primary, and each replica has what its primary has.
    pub fn settle(&self) {
        let is_well = |node| {
            let role = self.ask(node, &["info", "replication"]);
            self.ask(node, &["cluster", "info"]).contains("cluster_state:ok")
                && self.ask(node, &["cluster", "slots"]).matches("127.0.0.1").count()
                    >= self.nodes.len()
                && (self.nodes.len() == 3
                    || role.contains("connected_slaves:1") && role.contains("state=online")
                    || role.contains("master_link_status:up"))
        };
        until("the cluster is well", || (0..self.nodes.len()).all(is_well));
    }

    /// Whether a node runs and says that it is one.
    pub fn is_primary(&self, node: usize) -> bool {
        self.nodes[node].process.is_some() && self.ask(node, &["role"]).starts_with("master")
    }

    /// How many bytes of its primary's writes a replica has had.
    pub fn offset(&self, replica: usize) -> u64 {
        let info = self.ask(replica, &["info", "replication"]);
        let offset = info.lines().find_map(|line| line.strip_prefix("slave_repl_offset:"));
        offset.map_or(0, |offset| offset.trim().parse().unwrap())
    }

    /// The primary of a key's slot, and its replica.
    pub fn pair_of(&self, key: &str) -> (usize, usize) {
        let slot: u32 = self.ask(0, &["cluster", "keyslot", key]).parse().unwrap();
        let all = self.ask(0, &["cluster", "nodes"]);
        // Name, address, flags, the name of a replica's primary, four more, and the slots.
        let all: Vec<Vec<&str>> = all.lines().map(|line| line.split(' ').collect()).collect();
        let number = |node: &[&str]| {
            let is_this = |of: &Node| node[1].contains(&format!(":{}@", of.port));
            self.nodes.iter().position(is_this).unwrap()
        };
        let has_slot = |node: &&Vec<&str>| {
            node[8..].iter().any(|range| {
                let (start, end) = range.split_once('-').unwrap_or((range, range));
                start.parse().is_ok_and(|start: u32| start <= slot)
                    && end.parse().is_ok_and(|end: u32| slot <= end)
            })
        };
        let primary = all.iter().find(has_slot).unwrap();
        let replica = all.iter().find(|node| node[3] == primary[0]).unwrap();
        (number(primary), number(replica))
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

/// A port whose number plus 10000, which the cluster's bus has, is free too. Both are held, and neither is one that
/// the system gives to whoever asks for any.
fn free_ports() -> Option<(u16, TcpListener, TcpListener)> {
    let port = rand::rng().random_range(12_000..22_000);
    let bind = |port| TcpListener::bind(("127.0.0.1", port)).ok();
    Some((port, bind(port)?, bind(port + 10_000)?))
}

/// What a node answers, a line for each part of it. As `redis-cli`, but without a process for it.
fn ask(port: u16, command: &[&str]) -> io::Result<String> {
    let mut node = BufReader::new(TcpStream::connect(("127.0.0.1", port))?);
    let words = command.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let request = format!("*{}\r\n{}", command.len(), words.collect::<String>());
    node.get_mut().write_all(request.as_bytes())?;
    let (mut answer, mut parts) = (String::new(), 1);
    while parts > 0 {
        let mut line = String::new();
        node.read_line(&mut line)?;
        let (kind, rest) = line.trim_end().split_at_checked(1).ok_or(ErrorKind::UnexpectedEof)?;
        parts -= 1;
        match (kind, rest.parse::<usize>()) {
            ("*", Ok(more)) => parts += more,
            ("$", Ok(len)) => {
                let mut text = vec![0; len + 2];
                node.read_exact(&mut text)?;
                answer += &String::from_utf8_lossy(&text);
            }
            _ => answer += &format!("{rest}\n"),
        }
    }
    Ok(answer.trim().to_owned())
}

/// What `redis-cli` prints.
///
/// # Errors
/// The same, if it fails.
pub fn cli(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("redis-cli").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() { Ok(text) } else { Err(text) }
}
