//! An engine that holds no data: a Redis Cluster (or Valkey's) has it.
//!
//! | module | what it is |
//! |---|---|
//! | `dispatcher` | the thread that has the requests: in which order, to which node, and again if a node refuses |
//! | `nodes` | the nodes, the connections to them, and which of them has which hash slot |
//! | `request` | a request as a command of Redis, and its reply as our result |
//! | `survey` | what the nodes say about the durability of what they are given |
//!
//! The library has the protocol and the connections. Its cluster connection (`cluster-async`) would have the topology
//! and the retries, too, and save some 150 of these lines; it isn't used, for two reasons. It hands each request through
//! its own queue to one connection and back, which took 4.6 µs of CPU a get, where ours, as pipelines, take 2.4 (256
//! in flight, three nodes, a busy machine with two cores, redis 1.8.1). And its retries treat a connection that broke as
//! they treat a redirect, so they may do a write twice.

mod dispatcher;
mod nodes;
mod request;
mod survey;

use crate::{Durability, KvsEngine, KvsError, Page, Result, Write};
use dispatcher::Message;
use nodes::Nodes;
use request::{Request, Then};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// A Redis Cluster as an engine. Any number of servers may have the same one.
///
/// Requests go to the nodes over one connection each, many at a time, with their replies up to some 32 MiB; a thread
/// of the engine's own has them all: who calls [`KvsEngine::get_then`] or [`KvsEngine::round`] waits for nothing. Requests
/// for keys of one hash slot that change one of them are done in the order in which they were begun.
///
/// A node that refuses a request because a slot has moved, or because it isn't ready, has not done it: it
/// is asked for again, of the node that has the slot. A write that was sent and not answered is never sent
/// again, and its error says that it may have been done or not: sent twice, it could undo another
/// client's write, and a `remove` would not find what it had removed itself.
///
/// What it doesn't have: a batch over keys of several hash slots. A key of another Redis type is an
/// error for `get` and `compare_and_set`; `set` replaces it and `remove` removes it, as `SET` and `DEL` do.
///
/// Redis replicates after it has answered, so a failover can lose acknowledged writes; what a write
/// survives is what [`RedisClusterEngine::promise`] says.
#[derive(Clone)]
pub struct RedisClusterEngine {
    /// To the thread; when the last sender goes, it answers what it has and ends.
    messages: UnboundedSender<Message>,
    promise: Arc<str>,
    counters: Arc<Counters>,
}

/// How to use a cluster.
#[derive(Clone, Debug)]
pub struct RedisClusterOptions {
    /// What an acknowledged write must survive. At [`Durability::Always`] a write to a cluster with replicas is
    /// acknowledged when one of them has it, too. Without a level, whatever the nodes give.
    pub durability: Option<Durability>,
    /// How long a request may take that nodes refuse or don't answer; a fifth of it is how long a node may
    /// take. A failover takes longer than the cluster's `cluster-node-timeout`; meanwhile, requests for
    /// the slots concerned fail.
    pub timeout: Duration,
}

impl Default for RedisClusterOptions {
    fn default() -> Self {
        RedisClusterOptions { durability: None, timeout: Duration::from_secs(10) }
    }
}

/// For the stats. Numbers that nothing depends on, hence `Relaxed` everywhere.
#[derive(Default)]
struct Counters {
    /// Requests that a node refused, and that were made again.
    again: AtomicU64,
    /// Writes that were sent and not answered, or not confirmed by a replica.
    unknown: AtomicU64,
    /// How often the nodes were asked for the slots.
    refreshes: AtomicU64,
}

impl RedisClusterEngine {
    /// Asks one of these nodes for all others. A node is `HOST:PORT`, or `redis://USER:PASSWORD@HOST:PORT` if
    /// it wants to be shown who asks.
    ///
    /// # Errors
    /// If none of them answers, or they are no cluster, or it doesn't give the durability.
    pub fn open(nodes: &[String], options: RedisClusterOptions) -> Result<RedisClusterEngine> {
        let (messages, inbox) = unbounded_channel();
        let (opened, result) = mpsc::channel();
        let counters = Arc::<Counters>::default();
        let (nodes, counted) = (nodes.to_vec(), Arc::clone(&counters));
        let run = move || dispatcher::run(&nodes, &options, counted, inbox, &opened);
        thread::Builder::new().name("kvs-cluster".to_owned()).spawn(run)?;
        let promise = result.recv().unwrap_or_else(|_| Err(gone()))?.into();
        Ok(RedisClusterEngine { messages, promise, counters })
    }

    /// What an acknowledged write survives, in words.
    pub fn promise(&self) -> &str {
        &self.promise
    }

    fn begin(&self, request: Request) {
        if !request.is_in_one_slot() {
            let what = "batch over several hash slots (a common `{tag}` in the keys makes it one)";
            request.answer(Err(KvsError::Unsupported { what }));
        } else if let Err(refused) = self.messages.send(Message::Request(request))
            && let Message::Request(request) = refused.0
        {
            request.answer(Err(gone()));
        }
    }

    /// Asks the nodes, and waits.
    fn ask<T: Send + 'static, F: Future<Output = Result<T>>>(
        &self,
        ask: impl FnOnce(Rc<Nodes>) -> F + Send + 'static,
    ) -> Result<T> {
        wait(|done| {
            // If it cannot be sent it goes, and who waits notices.
            let _ = self.messages.send(Message::Ask(Box::new(|nodes| {
                Box::pin(async move { done(ask(nodes).await) })
            })));
        })
    }

    fn write(&self, write: Write) -> Result<()> {
        wait(|done| self.begin(Request::write(write, done)))
    }
}

impl KvsEngine for RedisClusterEngine {
    const GETS_WAIT: bool = true;

    fn set(&self, key: String, value: String) -> Result<()> {
        self.write(Write::Set { key, value })
    }

    fn get(&self, key: String) -> Result<Option<String>> {
        wait(|done| self.begin(Request::get(key, done)))
    }

    fn remove(&self, key: String) -> Result<()> {
        self.write(Write::Remove { key })
    }

    fn compare_and_set(
        &self,
        key: String,
        expected: Option<String>,
        new: Option<String>,
    ) -> Result<()> {
        self.write(Write::CompareAndSet { key, expected, new })
    }

    /// Of keys of one hash slot only.
    fn write_batch(&self, writes: Vec<(String, Option<String>)>) -> Result<()> {
        self.write(Write::Batch(writes))
    }

    /// Of all types, of all primaries, one after the other. While slots move, a key may be counted twice or not
    /// at all.
    fn len(&self) -> Result<u64> {
        self.ask(async |nodes| survey::len(&nodes).await)
    }

    /// Only the keys that have a value of ours. What a node's cursor means ends with its process, and a
    /// slot that moves takes its keys to where the walk has been: a walk during which that happens fails.
    fn keys(&self, cursor: Option<String>, limit: usize) -> Result<Page> {
        self.ask(async move |nodes| survey::keys(&nodes, cursor, limit).await)
    }

    fn get_then(&self, key: String, done: impl FnOnce(Result<Option<String>>) + Send + 'static) {
        self.begin(Request::get(key, Box::new(done)));
    }

    fn round<D: FnOnce(Result<()>) + Send + 'static>(
        &self,
        writes: impl IntoIterator<Item = (Write, D)>,
    ) {
        for (write, done) in writes {
            self.begin(Request::write(write, Box::new(done)));
        }
    }

    fn stats_text(&self) -> String {
        let Counters { again, unknown, refreshes } = &*self.counters;
        format!(
            "cluster_requests_again {}\ncluster_unknown_writes {}\ncluster_slot_refreshes {}\n",
            again.load(Ordering::Relaxed),
            unknown.load(Ordering::Relaxed),
            refreshes.load(Ordering::Relaxed)
        )
    }
}

/// Begins something, and waits for what became of it.
fn wait<T: Send + 'static>(begin: impl FnOnce(Then<T>)) -> Result<T> {
    let (answer, answered) = mpsc::sync_channel(1);
    begin(Box::new(move |result| {
        // The receiver below waits.
        let _ = answer.send(result);
    }));
    answered.recv().unwrap_or_else(|_| Err(gone()))
}

/// The thread has ended: it panicked, or this is a child of the process that had it.
fn gone() -> KvsError {
    error("the thread that asks the cluster is gone")
}

fn error(message: impl Into<String>) -> KvsError {
    KvsError::Engine(message.into().into())
}
