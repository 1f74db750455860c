use super::nodes::{Failure, Node, Nodes};
use super::request::{Refusal, Request};
use super::{Counters, RedisClusterOptions, error, survey};
use crate::Result;
use redis::Value;
use redis::cluster_routing::Slot;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::runtime;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

/// How many requests are taken from the inbox at a time, and wait in a slot's lane for one reply.
const AT_ONCE: usize = 1024;
/// How many bytes may be under way over a connection, and what a read counts for at least. A node holds
/// all replies to a pipeline in its memory, and they have to come in the time that it may take.
const WINDOW: usize = 32 << 20;
const LEAST: usize = WINDOW / 256;
/// How long a request that was refused rests: twice as long each time, up to the second of these.
const REST: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(100)];

/// What the handles send to the thread.
pub(super) enum Message {
    Request(Request),
    /// To be asked of the nodes, beside the requests.
    Ask(Box<dyn FnOnce(Rc<Nodes>) -> Asking + Send>),
}

type Asking = Pin<Box<dyn Future<Output = ()>>>;

/// The thread: one runtime, on which everything below is tasks. Says whether the cluster can be used, then
/// takes messages until no handle is left, and ends when all are answered.
pub(super) fn run(
    seeds: &[String],
    options: &RedisClusterOptions,
    counters: Arc<Counters>,
    mut inbox: UnboundedReceiver<Message>,
    opened: &mpsc::Sender<Result<String>>,
) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(opened.send(Err(error.into()))),
    };
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        let dispatcher = match Dispatcher::open(seeds, options, counters).await {
            Ok((dispatcher, promise)) => {
                // The one who opens it waits.
                let _ = opened.send(Ok(promise));
                dispatcher
            }
            Err(error) => return drop(opened.send(Err(error))),
        };
        let mut messages = Vec::new();
        while inbox.recv_many(&mut messages, AT_ONCE).await > 0 {
            dispatcher.begin(messages.drain(..));
        }
    });
    runtime.block_on(tasks);
}

/// Requests on their way, in *lanes*: one for each hash slot that has any.
///
/// A lane lets through what is first in it, as far as no two of these are for one key that one of them changes,
/// and what comes next when all of those are answered: also those that a node has refused and that
/// are asked for again, which otherwise could be overtaken.
struct Dispatcher {
    nodes: Rc<Nodes>,
    lanes: RefCell<HashMap<Slot, Lane>>,
    /// What may be handed to connections; whoever adds to it calls `send` then.
    free: RefCell<Vec<Request>>,
    /// Whether a write waits for a replica.
    is_confirmed: bool,
    timeout: Duration,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Lane {
    /// How many were let through and have no answer.
    under_way: usize,
    waiting: VecDeque<Request>,
}

impl Dispatcher {
    async fn open(
        seeds: &[String],
        options: &RedisClusterOptions,
        counters: Arc<Counters>,
    ) -> Result<(Rc<Dispatcher>, String)> {
        let timeout = options.timeout;
        let nodes = Rc::new(Nodes::find(seeds, timeout / 5, Arc::clone(&counters)).await?);
        let (is_confirmed, promise) = survey::promise(&nodes, options.durability).await?;
        let (lanes, free) = Default::default();
        Ok((Rc::new(Dispatcher { nodes, lanes, free, is_confirmed, timeout, counters }), promise))
    }

    fn begin(self: &Rc<Self>, messages: impl Iterator<Item = Message>) {
        for message in messages {
            match message {
                Message::Request(request) => {
                    let slot = request.slot;
                    self.lanes.borrow_mut().entry(slot).or_default().waiting.push_back(request);
                    self.let_through(slot);
                }
                Message::Ask(ask) => drop(spawn_local(ask(Rc::clone(&self.nodes)))),
            }
        }
        self.send();
    }

    /// Frees the next ones of a lane, if none of it is under way. A lane that is empty goes.
    fn let_through(&self, slot: Slot) {
        let (mut lanes, mut free) = (self.lanes.borrow_mut(), self.free.borrow_mut());
        let Some(lane) = lanes.get_mut(&slot).filter(|lane| lane.under_way == 0) else { return };
        let first = free.len();
        while let Some(next) = lane.waiting.front()
            && free.len() < first + AT_ONCE
            && !free[first..].iter().any(|before| before.conflicts_with(next))
        {
            free.extend(lane.waiting.pop_front());
        }
        lane.under_way = free.len() - first;
        if lane.under_way == 0 {
            lanes.remove(&slot);
        }
    }

    /// This request of a lane has its answer. Frees those that may follow.
    fn answer(&self, request: Request, reply: Result<Value>) {
        let slot = request.slot;
        request.answer(reply);
        if let Some(lane) = self.lanes.borrow_mut().get_mut(&slot) {
            lane.under_way -= 1;
        }
        self.let_through(slot);
    }

    /// Hands what is free to the connections over which it goes.
    fn send(self: &Rc<Self>) {
        let now = Instant::now();
        loop {
            let all = self.free.take();
            if all.is_empty() {
                break;
            }
            for request in all.into_iter().filter_map(|request| self.in_time(request, now)) {
                let of_slot = || self.nodes.of(request.slot);
                match request.ask.as_ref().map(|addr| self.nodes.node(addr)).or_else(of_slot) {
                    Some(node) => {
                        let link = node.link(self.is_confirmed && request.is_write);
                        link.waiting.borrow_mut().push_back(request);
                    }
                    None => {
                        self.nodes.refresh();
                        self.again(request, "no node has the slot of the key".to_owned());
                    }
                }
            }
        }
        for node in self.nodes.known() {
            for waits in [false, true] {
                if !node.link(waits).waiting.borrow().is_empty() {
                    self.fill(&node, waits);
                }
            }
        }
    }

    /// Answers a request that has taken too long.
    fn in_time(&self, request: Request, now: Instant) -> Option<Request> {
        if now.saturating_duration_since(request.begun) <= self.timeout {
            return Some(request);
        }
        let why = match &*request.why {
            "" => "it waited for those before it",
            why => why,
        };
        let why = error(format!("not done within {:?}: {why}", self.timeout));
        self.answer(request, Err(why));
        None
    }

    /// Sends as one pipeline what waits and has room in the window; where nothing is under way, at least one. Where
    /// writes wait for a replica, one pipeline with one `WAIT` after the other: those that come meanwhile share
    /// the next one.
    fn fill(self: &Rc<Self>, node: &Rc<Node>, waits: bool) {
        let (link, now) = (node.link(waits), Instant::now());
        let (mut pipeline, mut size) = (Vec::new(), 0);
        while !waits || link.under_way.get() == 0 {
            let mut waiting = link.waiting.borrow_mut();
            // The oldest and the newest by turns: behind many large ones a small one need not wait for all of them,
            // and those aren't forgotten. None of them has to be done before another.
            let is_newest = link.is_newest_next.get();
            let next = if is_newest { waiting.back() } else { waiting.front() };
            let Some(more) = next.map(|request| match request.is_write {
                true => request.size(),
                false => link.of_reads.get().max(LEAST),
            }) else {
                break;
            };
            let before = link.under_way.get() + size;
            if before > 0 && before + more > WINDOW {
                break;
            }
            link.is_newest_next.set(!is_newest);
            let next = if is_newest { waiting.pop_back() } else { waiting.pop_front() };
            drop(waiting);
            if let Some(request) = next.and_then(|next| self.in_time(next, now)) {
                pipeline.push(request);
                size += more;
            }
        }
        if !pipeline.is_empty() {
            link.under_way.set(link.under_way.get() + size);
            let (dispatcher, node) = (Rc::clone(self), Rc::clone(node));
            spawn_local(async move {
                dispatcher.flight(&node, waits, pipeline, size).await;
                dispatcher.send();
            });
        }
        if !self.free.borrow().is_empty() {
            self.send();
        }
    }

    /// A pipeline's way to a node and back. Its writes are to wait for a replica, or it has none that are.
    async fn flight(self: &Rc<Self>, node: &Node, waits: bool, all: Vec<Request>, size: usize) {
        let mut commands = redis::pipe();
        for request in &all {
            if request.ask.is_some() {
                commands.cmd("ASKING");
            }
            commands.add_command(request.command.clone());
        }
        if waits {
            // Less than the node has to answer, so that it does.
            let time = self.timeout / 10;
            commands.cmd("WAIT").arg(1).arg(time.as_millis().max(1) as u64);
        }
        let link = node.link(waits);
        let replies = self.nodes.ask(node, link, &commands).await;
        link.under_way.set(link.under_way.get() - size);
        let replies = match replies {
            Ok(replies) => replies,
            Err(failure) => {
                if failure.was_sent {
                    // The replies may have been too large: now one by one.
                    link.of_reads.set(WINDOW);
                }
                return self.failed(all, link.waiting.take(), &failure);
            }
        };
        if all.iter().any(|request| !request.is_write) {
            let sizes = replies.iter().map(|reply| match reply {
                Value::BulkString(value) => value.len(),
                _ => 0,
            });
            link.of_reads.set(sizes.max().unwrap_or(0).max(link.of_reads.get() / 2));
        }
        let mut replies = replies.into_iter();
        let unconfirmed = match waits.then(|| replies.next_back()).flatten() {
            None | Some(Value::Int(1..)) => None,
            other => Some(error(format!(
                "{node} has the write, and no replica has confirmed it ({other:?}): it is not \
                 known whether it survives the node"
            ))),
        };
        for mut request in all {
            if request.ask.take().is_some() {
                replies.next();
            }
            let Some(reply) = replies.next() else {
                let missing = error(format!("{node} has not replied to each request"));
                self.answer(request, Err(missing));
                continue;
            };
            match (Refusal::of(&reply), &unconfirmed) {
                (Some(refusal), _) => self.refused(request, refusal),
                (None, Some(unconfirmed)) if matches!(reply, Value::Okay | Value::Int(1)) => {
                    self.counters.unknown.fetch_add(1, Ordering::Relaxed);
                    self.answer(request, Err(unconfirmed.clone()));
                }
                (None, _) => self.answer(request, Ok(reply)),
            }
        }
    }

    /// There was no reply to some, and others wait: another node may have their slot by now. What may have been
    /// done is not done again, unless it changes nothing.
    fn failed(
        self: &Rc<Self>,
        all: Vec<Request>,
        waiting: VecDeque<Request>,
        Failure { was_sent, why }: &Failure,
    ) {
        self.nodes.refresh();
        for request in waiting {
            self.again(request, why.clone());
        }
        for mut request in all {
            request.ask = None;
            if *was_sent && request.is_write {
                self.counters.unknown.fetch_add(1, Ordering::Relaxed);
                let message = format!("no answer ({why}): the write may have been done or not");
                self.answer(request, Err(error(message)));
            } else {
                self.again(request, why.clone());
            }
        }
    }

    /// A node has not done it, and says why.
    fn refused(self: &Rc<Self>, mut request: Request, refusal: Refusal) {
        let why = match refusal {
            Refusal::Moved(addr) => {
                self.nodes.refresh();
                self.nodes.moved(request.slot, &addr);
                format!("its slot has moved to {}:{}", addr.0, addr.1)
            }
            Refusal::Ask(addr) => {
                let why = format!("its slot is moving to {}:{}", addr.0, addr.1);
                request.ask = Some(addr);
                why
            }
            Refusal::NotNow(why) => {
                self.nodes.refresh();
                why
            }
        };
        self.again(request, why);
    }

    /// Sends it again, after a rest unless this is the first time.
    fn again(self: &Rc<Self>, mut request: Request, why: String) {
        self.counters.again.fetch_add(1, Ordering::Relaxed);
        let rest = match request.refused {
            0 => Duration::ZERO,
            many => (REST[0] * 2u32.pow(many.min(8))).min(REST[1]),
        };
        request.refused += 1;
        request.why = why;
        let dispatcher = Rc::clone(self);
        spawn_local(async move {
            sleep(rest).await;
            dispatcher.free.borrow_mut().push(request);
            dispatcher.send();
        });
    }
}
