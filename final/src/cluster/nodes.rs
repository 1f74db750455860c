use super::dispatcher::Sent;
use super::request::unexpected;
use super::{Counters, error};
use crate::Result;
use redis::aio::MultiplexedConnection;
use redis::cluster_routing::Slot;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use redis::{Pipeline, RedisConnectionInfo, Value};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

/// How long after one look for the slots the next one begins.
const BETWEEN_REFRESHES: Duration = Duration::from_millis(50);

/// The nodes that were ever heard of, and which of them has which slot. All of it is one thread's.
pub(super) struct Nodes {
    known: RefCell<Vec<Rc<Node>>>,
    slots: RefCell<Slots>,
    /// How we show who we are.
    login: RedisConnectionInfo,
    /// How long a node may take.
    patience: Duration,
    is_refreshing: Cell<bool>,
    /// Which node is asked first for the slots; each time another one.
    next: Cell<usize>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Slots {
    primaries: HashMap<Slot, Rc<Node>>,
    /// Each primary's replicas.
    shards: Vec<(Rc<Node>, Vec<Rc<Node>>)>,
}

/// A node, and the connections to it.
pub(super) struct Node {
    pub(super) host: String,
    pub(super) port: u16,
    client: Client,
    links: [Mutex<Option<Link>>; 2],
    /// Writes that wait until a replica has confirmed those before them.
    pub(super) waiting: RefCell<Vec<Sent>>,
    pub(super) is_confirming: Cell<bool>,
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// Answers come as soon as the node has them.
    Prompt,
    /// Writes that a replica confirms: `WAIT` counts those of its own connection, and keeps it waiting.
    Confirmed,
}

#[derive(Clone)]
struct Link {
    connection: MultiplexedConnection,
    /// Tells it from the one that replaces it.
    id: u64,
}

/// Why there is no reply.
pub(super) enum Failure {
    /// The node can't have got it.
    NotSent(String),
    /// The node may have done it.
    Unanswered(String),
}

impl Failure {
    pub(super) fn why(self) -> String {
        let (Failure::NotSent(why) | Failure::Unanswered(why)) = self;
        why
    }
}

impl Nodes {
    /// Asks the first of these that answers which nodes there are.
    pub(super) async fn find(
        seeds: &[String],
        patience: Duration,
        counters: Arc<Counters>,
    ) -> Result<Nodes> {
        let mut login = RedisConnectionInfo::default();
        let mut addrs = Vec::new();
        for seed in seeds {
            let info = parse(seed).map_err(|why| error(format!("{seed}: {why}")))?;
            match info.addr() {
                ConnectionAddr::Tcp(host, port) => addrs.push((host.clone(), *port)),
                _ => return Err(error(format!("{seed} is no `HOST:PORT` to reach without TLS"))),
            }
            login = info.redis_settings().clone();
        }
        let nodes = Nodes {
            known: RefCell::default(),
            slots: RefCell::default(),
            login,
            patience,
            is_refreshing: Cell::new(false),
            next: Cell::new(0),
            counters,
        };
        for (host, port) in addrs {
            nodes.node(&host, port)?;
        }
        nodes.look().await?;
        Ok(nodes)
    }

    /// The node at an address, known or new.
    pub(super) fn node(&self, host: &str, port: u16) -> Result<Rc<Node>> {
        let mut known = self.known.borrow_mut();
        if let Some(node) = known.iter().find(|node| node.port == port && node.host == host) {
            return Ok(Rc::clone(node));
        }
        let addr = ConnectionAddr::Tcp(host.to_owned(), port);
        let info = addr.into_connection_info().map_err(|e| error(e.to_string()))?;
        let client = Client::open(info.set_redis_settings(self.login.clone()));
        let client = client.map_err(|e| error(e.to_string()))?;
        let (host, links) = (host.to_owned(), Default::default());
        let (waiting, is_confirming) = Default::default();
        let node = Rc::new(Node { host, port, client, links, waiting, is_confirming });
        known.push(Rc::clone(&node));
        Ok(node)
    }

    /// The primary of a slot, as far as known.
    pub(super) fn of(&self, slot: Slot) -> Option<Rc<Node>> {
        self.slots.borrow().primaries.get(&slot).cloned()
    }

    /// Each primary with its replicas, in the order of their addresses.
    pub(super) fn shards(&self) -> Vec<(Rc<Node>, Vec<Rc<Node>>)> {
        self.slots.borrow().shards.clone()
    }

    /// A node said that another one has the slot.
    pub(super) fn moved(&self, slot: Slot, to: Rc<Node>) {
        self.slots.borrow_mut().primaries.insert(slot, to);
    }

    /// Asks for the slots in the background, if that isn't under way.
    pub(super) fn refresh(self: &Rc<Self>) {
        if !self.is_refreshing.replace(true) {
            let nodes = Rc::clone(self);
            tokio::task::spawn_local(async move {
                // What fails asks for it again.
                if let Err(error) = nodes.look().await {
                    log::debug!("{error}");
                }
                sleep(BETWEEN_REFRESHES).await;
                nodes.is_refreshing.set(false);
            });
        }
    }

    /// Asks one node after the other for the slots, until one knows all of them. Where none does, takes
    /// the last answer.
    pub(super) async fn look(&self) -> Result<()> {
        self.counters.refreshes.fetch_add(1, Ordering::Relaxed);
        let known = self.known.borrow().clone();
        let first = self.next.replace(self.next.get() + 1);
        let mut last = Err(error("no node of the cluster is known"));
        for index in 0..known.len() {
            let node = &known[(first + index) % known.len()];
            let mut slots = redis::pipe();
            slots.cmd("CLUSTER").arg("SLOTS");
            // One that is silent must not keep us from the others.
            let reply = timeout(self.patience / 4, self.ask(node, Line::Prompt, &slots));
            last = match reply.await {
                Ok(Ok(replies)) => self.read(node, &replies),
                Ok(Err(failure)) => Err(error(failure.why())),
                Err(_) => Err(error(format!("{node} is silent"))),
            };
            if matches!(last, Ok(true)) {
                break;
            }
        }
        last.map(drop)
    }

    /// Takes a node's word for which node has which slot. Returns whether it was about all of them.
    fn read(&self, from: &Node, replies: &[Value]) -> Result<bool> {
        let [Value::Array(ranges)] = replies else {
            return Err(replies.first().map_or_else(|| error("no reply"), unexpected));
        };
        let mut found = Slots::default();
        for range in ranges {
            let Value::Array(range) = range else { return Err(unexpected(range)) };
            let [Value::Int(start), Value::Int(end), nodes @ ..] = &range[..] else {
                return Err(error("slots without a range"));
            };
            let nodes = nodes.iter().map(|node| self.read_node(from, node));
            let nodes = nodes.collect::<Result<Vec<_>>>()?;
            let Some((primary, replicas)) = nodes.split_first() else { continue };
            for slot in *start..=*end {
                let slot = u16::try_from(slot).ok().and_then(Slot::new);
                let slot = slot.ok_or_else(|| error("a slot that there can't be"))?;
                found.primaries.insert(slot, Rc::clone(primary));
            }
            if !found.shards.iter().any(|(known, _)| Rc::ptr_eq(known, primary)) {
                found.shards.push((Rc::clone(primary), replicas.to_vec()));
            }
        }
        found.shards.sort_by(|(a, _), (b, _)| (&a.host, a.port).cmp(&(&b.host, b.port)));
        let is_complete = found.primaries.len() == 16384;
        self.slots.replace(found);
        Ok(is_complete)
    }

    fn read_node(&self, from: &Node, node: &Value) -> Result<Rc<Node>> {
        let Value::Array(node) = node else { return Err(unexpected(node)) };
        match &node[..] {
            [host, Value::Int(port), ..] => {
                let port = u16::try_from(*port).map_err(|_| error("a port that there can't be"))?;
                match host {
                    Value::BulkString(host) if !host.is_empty() && host != b"?" => {
                        self.node(&String::from_utf8_lossy(host), port)
                    }
                    // It doesn't know its own name: the one by which we reached it.
                    _ => self.node(&from.host, port),
                }
            }
            _ => Err(error("a node without an address")),
        }
    }

    /// Has a node do the commands, and returns their replies, as many as there are commands.
    pub(super) async fn ask(
        &self,
        node: &Node,
        line: Line,
        commands: &Pipeline,
    ) -> std::result::Result<Vec<Value>, Failure> {
        let link = match timeout(self.patience, self.connect(node, line)).await {
            Ok(Ok(link)) => link,
            Ok(Err(error)) => return Err(Failure::NotSent(format!("{node}: {error}"))),
            Err(_) => return Err(Failure::NotSent(format!("{node} accepts no connection"))),
        };
        let mut connection = link.connection;
        match connection.send_packed_commands(commands, 0, commands.len()).await {
            Ok(replies) => Ok(replies),
            Err(error) => {
                // Also if it was silent: what comes next must not wait behind this.
                let mut current = node.links[line as usize].lock().await;
                if current.as_ref().is_some_and(|current| current.id == link.id) {
                    *current = None;
                }
                Err(Failure::Unanswered(format!("{node}: {error}")))
            }
        }
    }

    /// The connection for this; a new one if there is none.
    async fn connect(&self, node: &Node, line: Line) -> redis::RedisResult<Link> {
        let mut link = node.links[line as usize].lock().await;
        if let Some(link) = &*link {
            return Ok(link.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.patience))
            .set_response_timeout(Some(self.patience))
            .set_pipeline_buffer_size(1024);
        let connection = node.client.get_multiplexed_async_connection_with_config(&config).await?;
        let id = self.next.replace(self.next.get() + 1) as u64;
        Ok(link.insert(Link { connection, id }).clone())
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// As a URL that isn't written out it has no login.
fn parse(seed: &str) -> redis::RedisResult<ConnectionInfo> {
    let url = if seed.contains("://") { seed.to_owned() } else { format!("redis://{seed}") };
    url.into_connection_info()
}
