use super::request::{Addr, Request};
use super::{Counters, error};
use crate::Result;
use redis::aio::MultiplexedConnection;
use redis::cluster_routing::Slot;
use redis::{AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use redis::{Pipeline, RedisConnectionInfo, RedisResult, Value, from_redis_value};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long after one look for the slots the next one begins.
const BETWEEN_REFRESHES: Duration = Duration::from_millis(50);

/// The nodes that were ever heard of, and which of them has which slot. All of it is one thread's.
#[derive(Default)]
pub(super) struct Nodes {
    known: RefCell<Vec<Rc<Node>>>,
    primaries: RefCell<HashMap<Slot, Rc<Node>>>,
    shards: RefCell<Vec<Shard>>,
    /// How we show who we are: the login of one of those we were given, if any has one.
    login: RedisConnectionInfo,
    /// How long a node may take.
    patience: Duration,
    is_refreshing: Cell<bool>,
    /// Which node is asked first for the slots; each time another one.
    next: Cell<usize>,
    counters: Arc<Counters>,
}

/// A primary and its replicas.
pub(super) type Shard = (Rc<Node>, Vec<Rc<Node>>);

/// A node, and the connections to it.
pub(super) struct Node {
    addr: Addr,
    /// Answers come as soon as the node has them.
    pub(super) prompt: Link,
    /// For writes that a replica confirms: `WAIT` counts those of its own connection, and keeps it waiting.
    pub(super) confirmed: Link,
}

/// A way to a node.
#[derive(Default)]
pub(super) struct Link {
    /// If there is one. Who makes one has the others wait for it.
    connection: Mutex<Option<Rc<Connection>>>,
    /// Requests until there is room for them.
    pub(super) waiting: RefCell<VecDeque<Request>>,
    /// How many bytes the requests and replies under way have, as far as known.
    pub(super) under_way: Cell<usize>,
    /// How many bytes replies to reads had lately.
    pub(super) of_reads: Cell<usize>,
    /// Whether the newest of those that wait is next, or the oldest.
    pub(super) is_newest_next: Cell<bool>,
}

/// The library's connection, the task that writes to and reads from its socket, and the socket.
struct Connection {
    commands: MultiplexedConnection,
    driver: JoinHandle<()>,
    socket: std::net::TcpStream,
}

/// Why there is no reply.
pub(super) struct Failure {
    /// Whether the node may have done it.
    pub(super) was_sent: bool,
    pub(super) why: String,
}

impl Nodes {
    /// Asks the first of these that answers which nodes there are.
    pub(super) async fn find(
        seeds: &[String],
        patience: Duration,
        counters: Arc<Counters>,
    ) -> Result<Nodes> {
        let seeds = seeds.iter().map(|seed| seed.trim()).map(|seed| {
            // As a URL that isn't written out it has no login.
            let url = format!("{}{seed}", if seed.contains("://") { "" } else { "redis://" });
            let info = url.into_connection_info();
            let info = info.map_err(|why| error(format!("{seed}: {why}")))?;
            match info.addr() {
                ConnectionAddr::Tcp(host, port) => Ok(((host.clone(), *port), info)),
                _ => Err(error(format!("{seed} is no `HOST:PORT` to reach without TLS"))),
            }
        });
        let seeds = seeds.collect::<Result<Vec<_>>>()?;
        let has_login = |(_, info): &&(_, ConnectionInfo)| {
            let login = info.redis_settings();
            login.password().or(login.username()).is_some()
        };
        let seed = seeds.iter().find(has_login).or(seeds.last());
        let (_, seed) = seed.ok_or_else(|| error("no node of the cluster is known"))?;
        let login = seed.redis_settings().clone();
        let nodes = Nodes { login, patience, counters, ..Nodes::default() };
        for (addr, _) in &seeds {
            nodes.node(addr);
        }
        nodes.look().await?;
        if nodes.shards().is_empty() {
            return Err(error("no node of the cluster has a slot"));
        }
        Ok(nodes)
    }

    /// The node at an address, known or new.
    pub(super) fn node(&self, addr: &Addr) -> Rc<Node> {
        let mut known = self.known.borrow_mut();
        if let Some(node) = known.iter().find(|node| node.addr == *addr) {
            return Rc::clone(node);
        }
        let (prompt, confirmed) = Default::default();
        let addr = addr.clone();
        let node = Rc::new(Node { addr, prompt, confirmed });
        // Until it's known: few at a time.
        node.prompt.of_reads.set(1 << 20);
        known.push(Rc::clone(&node));
        node
    }

    /// Those that were ever heard of.
    pub(super) fn known(&self) -> Vec<Rc<Node>> {
        self.known.borrow().clone()
    }

    /// The primary of a slot, as far as known.
    pub(super) fn of(&self, slot: Slot) -> Option<Rc<Node>> {
        self.primaries.borrow().get(&slot).cloned()
    }

    /// In the order of the primaries' addresses.
    pub(super) fn shards(&self) -> Vec<Shard> {
        self.shards.borrow().clone()
    }

    /// A node said that another one has the slot.
    pub(super) fn moved(&self, slot: Slot, to: &Addr) {
        self.primaries.borrow_mut().insert(slot, self.node(to));
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
        let mut known = self.known();
        let first = self.next.replace(self.next.get() + 1) % known.len();
        known.rotate_left(first);
        let mut slots = redis::pipe();
        slots.cmd("CLUSTER").arg("SLOTS");
        let mut last = Ok(false);
        for node in known {
            // One that is silent must not keep us from the others.
            let reply = timeout(self.patience / 4, self.ask(&node, &node.prompt, &slots));
            last = match reply.await {
                Ok(Ok(replies)) => self.read(&node, replies),
                Ok(Err(failure)) => Err(error(failure.why)),
                Err(_) => Err(error(format!("{node} is silent"))),
            };
            if matches!(last, Ok(true)) {
                break;
            }
        }
        last.map(drop)
    }

    /// Takes a node's word for which node has which slot. Returns whether it was about all of them.
    fn read(&self, from: &Node, mut replies: Vec<Value>) -> Result<bool> {
        let ranges = from_redis_value::<Vec<Vec<Value>>>(replies.pop().unwrap_or(Value::Nil));
        let ranges = ranges.map_err(|why| error(format!("{from} names no slots: {why}")))?;
        let addr = |node: &Value| {
            let Value::Array(node) = node else { return None };
            let [host, Value::Int(port), ..] = &node[..] else { return None };
            let host = match host {
                Value::BulkString(host) if !host.is_empty() && host != b"?" => {
                    String::from_utf8_lossy(host).into_owned()
                }
                // It doesn't know its own name: the one by which we reached it.
                _ => from.addr.0.clone(),
            };
            Some((host, u16::try_from(*port).ok()?))
        };
        let (mut primaries, mut shards) = (HashMap::new(), Vec::<Shard>::new());
        for range in ranges {
            let [Value::Int(start), Value::Int(end), nodes @ ..] = &range[..] else { continue };
            let nodes = nodes.iter().filter_map(addr).map(|addr| self.node(&addr));
            let nodes = nodes.collect::<Vec<_>>();
            let Some((primary, replicas)) = nodes.split_first() else { continue };
            let slots = (*start..=*end).filter_map(|slot| Slot::new(u16::try_from(slot).ok()?));
            primaries.extend(slots.map(|slot| (slot, Rc::clone(primary))));
            if !shards.iter().any(|(known, _)| Rc::ptr_eq(known, primary)) {
                shards.push((Rc::clone(primary), replicas.to_vec()));
            }
        }
        shards.sort_by(|(a, _), (b, _)| a.addr.cmp(&b.addr));
        let is_complete = primaries.len() == 16384;
        self.primaries.replace(primaries);
        self.shards.replace(shards);
        Ok(is_complete)
    }

    /// Has a node do the commands, and returns their replies, as many as there are commands.
    pub(super) async fn ask(
        &self,
        node: &Node,
        link: &Link,
        commands: &Pipeline,
    ) -> std::result::Result<Vec<Value>, Failure> {
        let not_sent = |why: String| Failure { was_sent: false, why: format!("{node}: {why}") };
        let connection = match timeout(self.patience, self.connect(node, link)).await {
            Ok(connection) => connection.map_err(|why| not_sent(why.to_string()))?,
            Err(_) => return Err(not_sent("it accepts no connection".to_owned())),
        };
        let mut sender = connection.commands.clone();
        match sender.send_packed_commands(commands, 0, commands.len()).await {
            Ok(replies) => Ok(replies),
            Err(why) => {
                // Also if it was silent: what comes next must not wait behind this.
                let mut current = link.connection.lock().await;
                current.take_if(|current| Rc::ptr_eq(current, &connection));
                Err(Failure { was_sent: true, why: format!("{node}: {why}") })
            }
        }
    }

    /// The connection for this; a new one if there is none, or the node has closed it: of what was sent over that
    /// one it wouldn't be known whether it was done.
    async fn connect(&self, node: &Node, link: &Link) -> RedisResult<Rc<Connection>> {
        let mut link = link.connection.lock().await;
        if let Some(connection) = link.as_ref().filter(|connection| connection.is_open()) {
            return Ok(Rc::clone(connection));
        }
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(self.patience))
            .set_pipeline_buffer_size(1024);
        let stream = TcpStream::connect((&*node.addr.0, node.addr.1)).await?.into_std()?;
        stream.set_nodelay(true)?;
        let socket = stream.try_clone()?;
        let stream = TcpStream::from_std(stream)?;
        let (commands, driver) =
            MultiplexedConnection::new_with_config(&self.login, stream, config).await?;
        let driver = tokio::spawn(driver);
        Ok(Rc::clone(link.insert(Rc::new(Connection { commands, driver, socket }))))
    }
}

impl Connection {
    fn is_open(self: &Rc<Self>) -> bool {
        // While it's in use its task reads what comes, if only the end. Otherwise nothing may come.
        let is_idle = Rc::strong_count(self) == 1;
        let is_quiet = || {
            let came = self.socket.peek(&mut [0]);
            came.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        };
        !self.driver.is_finished() && (!is_idle || is_quiet())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Node {
    /// For writes that a replica confirms, or for all else.
    pub(super) fn link(&self, waits: bool) -> &Link {
        if waits { &self.confirmed } else { &self.prompt }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.addr.0, self.addr.1)
    }
}
